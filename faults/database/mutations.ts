import type { Patch } from '../program.ts';

/** A bug that is planted in a copy of the runner, and faulted runs of which at least one must show it. */
export interface Mutation {
  name: string;
  patches: Patch[];
  /** Which cases may show it, by their ids. */
  shownBy: RegExp;
}

const STEPS = 'operator/runner/steps';
const LEDGER_ROW = 'INSERT-INTO-phasemigration\\.ledger-revision';

/** Bugs of the kind that a runner of migrations has: each is a few lines. */
export const mutations: Mutation[] = [
  {
    name: 'the ledger row is written in another transaction than the migration',
    patches: [
      {
        file: `${STEPS}/apply.ts`,
        find: `    const { migration } = byName.get(name)!;
    await appendLedger(session, {`,
        replace: `    const { migration } = byName.get(name)!;
    await session.query('COMMIT; BEGIN');
    await appendLedger(session, {`,
      },
    ],
    shownBy: new RegExp(`^database/success/${LEDGER_ROW}\\.1:(kill-before|cut-before)$`),
  },
  {
    name: 'the fence is lifted before the verification',
    patches: [
      {
        file: `${STEPS}/forward.ts`,
        find: 'import { fenceStep, raiseFence, unfenceStep }',
        replace: 'import { fenceStep, liftFence, raiseFence, unfenceStep }',
      },
      {
        file: `${STEPS}/forward.ts`,
        find: "  if (work.spec.direction === 'Up' && work.spec.plan.verification.jobs.length > 0) await verificationJobs(work);",
        replace: `  await liftFence(work, { clientWrites: 'Impossible' });
  if (work.spec.direction === 'Up' && work.spec.plan.verification.jobs.length > 0) await verificationJobs(work);`,
      },
    ],
    shownBy: /^database\/job-fails\/report\.[1-3]:kill-(before|after)$/,
  },
  {
    name: 'the lock is not taken',
    patches: [
      {
        file: 'operator/runner/postgres/lock.ts',
        find: '  const taken: Wanted[] = [];',
        replace: '  if (claim.database) return {};\n  const taken: Wanted[] = [];',
      },
      {
        file: 'operator/runner/postgres/lock.ts',
        find: '  return rows.length > 0;',
        replace: '  return rows.length >= 0;',
      },
      {
        file: 'operator/runner/holder-row.ts',
        find: 'if (!isHeld && !this.#isEnded)',
        replace: 'if (!isHeld && this.#isGivenUp)',
      },
    ],
    shownBy: /^database\/success\/begin:lock-held$/,
  },
  {
    name: 'sessions of an older start are let be',
    patches: [
      {
        file: 'operator/runner/postgres/sessions.ts',
        find: '      return epoch !== undefined;',
        replace: '      return epoch === -1;',
      },
    ],
    shownBy: /^database\/success\/COMMIT\.1:freeze-to-end$/,
  },
  {
    name: 'the migration is reported as applied before COMMIT',
    patches: [
      {
        file: `${STEPS}/migrate.ts`,
        find: `      await commit(work, target);
      recordApplied(work, applied, 'Applied');
      work.reporter.update({ databaseChanged: 'Yes', revision: work.spec.targetRevision });`,
        replace: `      recordApplied(work, applied, 'Applied');
      work.reporter.update({ databaseChanged: 'Yes', revision: work.spec.targetRevision });
      await work.reporter.flush();
      await commit(work, target);`,
      },
    ],
    shownBy: /^database\/success\/COMMIT\.1:(cut-before|kill-before)$/,
  },
  {
    name: 'the restore point is put back although clients wrote',
    patches: [
      {
        file: `${STEPS}/roll-back.ts`,
        find: "  return work.reporter.status.clientWrites !== 'Possible' && isRestorePointThere(work);",
        replace: '  return isRestorePointThere(work);',
      },
    ],
    shownBy: /^database\/down\/report\.[1-3]:kill-(before|after)$/,
  },
  {
    name: 'a COMMIT without an answer is taken as done',
    patches: [
      {
        file: `${STEPS}/migrate.ts`,
        find: "const command = await session.command('COMMIT');",
        replace: "const command = await session.command('COMMIT').catch(() => 'COMMIT');",
      },
    ],
    shownBy: /^database\/success\/COMMIT\.1:cut-before$/,
  },
  {
    name: 'a COMMIT without an answer is taken as failed',
    patches: [
      {
        file: `${STEPS}/migrate.ts`,
        find: "const command = await session.command('COMMIT');",
        replace: `const command = await session.command('COMMIT').catch(() => {
    throw new NotReached('no answer', new StepFailure('MigrationFailed', 'no answer'));
  });`,
      },
      {
        file: 'operator/runner/work.ts',
        find: '  if (signal.aborted) throw new Interrupted(messageOf(error), { cause: error });\n',
        replace: '',
      },
    ],
    shownBy: /^database\/success\/COMMIT\.1:(answer-lost|cut-before)$/,
  },
  {
    name: 'the restore point is dropped before the verification has ended',
    patches: [
      {
        file: `${STEPS}/migrate.ts`,
        find: "      recordApplied(work, applied, 'Applied');\n      work.reporter",
        replace:
          '      recordApplied(work, applied, \'Applied\');\n      await work.maintenance.query(`DROP DATABASE "${work.names.restorePoint}"`);\n      work.reporter',
      },
    ],
    shownBy: /^database\/job-fails\/report\.[1-3]:kill-(before|after)$/,
  },
  {
    name: 'an archive is not compared with its hash',
    patches: [
      {
        file: 'operator/runner/postgres/archive.ts',
        find: '  await refuseDamaged(archive, options);',
        replace: '  if (archive.path === "") await refuseDamaged(archive, options);',
      },
    ],
    shownBy: /^database\/restore-dump\/goal-RolledBack:archive-swapped$/,
  },
  {
    name: 'half of a migration outside a transaction is tried again blindly',
    patches: [
      {
        file: `${STEPS}/forward.ts`,
        find: '  if (unexplained) return refuseUnexplained(work, unexplained);',
        replace: '  if (unexplained === "") return refuseUnexplained(work, unexplained);',
      },
    ],
    shownBy: /^database\/index\/ALTER-TABLE-item-RENAME\.1:(kill-before|cut-before)$/,
  },
  {
    name: 'what the fence changed is looked up anew after every start',
    patches: [
      {
        file: `${STEPS}/fence.ts`,
        find: "const standing = recorded?.state === 'Lifted' ? undefined : recorded;",
        replace: "const standing = recorded?.state === 'Lifted' || recorded ? undefined : recorded;",
      },
    ],
    shownBy: /^database\/success\/CREATE-DATABASE-TEMPLATE-STRATEGY\.1:(kill-before|kill-after)$/,
  },
  {
    name: 'sessions of clients are not ended behind the fence',
    patches: [
      {
        file: 'operator/runner/postgres/fence.ts',
        find: '    const stayed = await clientsOf(session, database, options.own());',
        replace:
          '    const stayed = (await clientsOf(session, database, options.own())).filter(({ pid }) => pid === 0);',
      },
    ],
    shownBy: /^database\/success\/COMMIT\.1:(kill-before|cut-before)$/,
  },
];
