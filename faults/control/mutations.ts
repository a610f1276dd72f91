import type { Patch } from '../program.ts';

/** A bug that is planted in a copy of the operator, and faulted runs of which at least one must show it. */
export interface Mutation {
  name: string;
  patches: Patch[];
  /** Which cases may show it, by their ids. */
  shownBy: RegExp;
}

const FORWARD = 'operator/controller/decide/forward.ts';
const UNDO = 'operator/controller/decide/undo.ts';
const ACTIONS = 'operator/controller/apply/actions.ts';
const RECONCILE = 'operator/controller/reconcile-run.ts';
const ANY = /^success\/patch-migration-status\.2:409$/;

/** Bugs of the kind that a controller has: each is one or two lines. */
export const mutations: Mutation[] = [
  {
    name: 'the effect comes before its record, so that replicas are read after the scale-down',
    patches: [
      {
        file: 'operator/controller/apply/apply.ts',
        find: '  const status = decision.status && statusPatch(run.status, decision.status, (field)',
        replace: `  await Promise.all(decision.actions.map((action) => applyAction(client, run, action, runner)));
  const status = decision.status && statusPatch(run.status, decision.status, (field)`,
      },
    ],
    shownBy: /^success\/patch-run-status\.[3-6]:(kill-before|500|reset)$/,
  },
  {
    name: 'the goal is written before the application is drained',
    patches: [
      { file: FORWARD, find: 'if (!holdDown(draft, false)) {', replace: 'holdDown(draft, false);\n  if (!draft) {' },
    ],
    shownBy: /^success\/patch-migration-status\.[1-4]:(409|500)$/,
  },
  {
    name: 'a pod that was told to stop counts as one that has ended',
    patches: [
      {
        file: 'operator/controller/decide/stopped-workloads.ts',
        find: '!ended && (terminating || !mayStand)',
        replace: '!ended && !terminating && !mayStand',
      },
    ],
    // On the way back the runner is quicker than the pods of the new version.
    shownBy: /^smoke-test-fails\/patch-migration-status\.[1-4]:409$/,
  },
  {
    name: 'a verification Job has passed as soon as it runs',
    patches: [
      {
        file: 'operator/controller/decide/verification-jobs.ts',
        find: "if (pod?.succeeded || finished === 'Complete')",
        replace: "if (pod?.running || pod?.succeeded || finished === 'Complete')",
      },
    ],
    shownBy: /^verification-fails\/patch-migration-status\.1:409$/,
  },
  {
    name: 'the application comes back before the migration is verified and the fence lifted',
    patches: [
      {
        file: FORWARD,
        find: "if (draft.runner?.reachedGoal === 'Migrated') comeBack(draft);",
        replace: "if (draft.runner?.databaseChanged === 'Yes') comeBack(draft);",
      },
    ],
    shownBy: /^verification-fails\/patch-migration-status\.1:409$/,
  },
  {
    name: 'an object that is there already is a failure',
    patches: [{ file: ACTIONS, find: 'if (!isAlreadyExists(error)) throw error;', replace: 'throw error;' }],
    shownBy: /^success\/create-(serviceaccount|role)\.1:(kill-after|lost-answer)$/,
  },
  {
    name: 'a Job whose creation was not answered is created again under another name',
    patches: [
      {
        file: ACTIONS,
        find: 'if (await createOnce(client, Job, job)) return;',
        replace: `const again = { ...job, metadata: { ...job.metadata, name: \`\${job.metadata.name}-again\` } };
  if (await createOnce(client, Job, job).catch(() => createOnce(client, Job, again))) return;`,
      },
    ],
    shownBy: /^success\/create-job\.1:(lost-answer|504)$/,
  },
  {
    name: 'a quick look that leads to nothing is believed',
    patches: [
      {
        file: 'operator/controller/quick-looks.ts',
        find: 'if (!wasQuick) {',
        replace: 'if (wasQuick || !wasQuick) {',
      },
    ],
    shownBy: /^success\/watch\.(pods|jobs):stale-list$/,
  },
  {
    name: 'an answer that was lost is taken for a failure of the run',
    patches: [
      {
        file: RECONCILE,
        find: '    // Somebody (the runner, most likely) wrote in between: decide again on what is there now.',
        replace: `    if ((error as { code?: number }).code === 0 && decision.status) {
      decision.status.failure ??= { step: 'Preflight', reason: 'RunnerFailed', message: 'No answer.' };
      return applyRun(parts.client, seen.run, decision, parts.runner);
    }`,
      },
    ],
    shownBy: /^success\/patch-run-status\.[2-8]:reset$/,
  },
  {
    name: 'undoing begins while the new version runs',
    patches: [
      {
        file: UNDO,
        find: 'if (!drained || !scaleDown) return;',
        replace: '',
      },
    ],
    shownBy: /^behind-fence\/patch-migration-status\.[12]:409$/,
  },
  {
    name: 'a watch that has expired is not begun again',
    patches: [
      {
        file: 'operator/kube/reflector.ts',
        find: 'if (isGone(error)) {',
        replace: 'if (isGone(error)) {\n        this.stop();',
      },
    ],
    shownBy: /^success\/watch\.phasemigrationruns:gone$/,
  },
  {
    name: 'the way back leaves the new images',
    patches: [
      {
        file: UNDO,
        find: 'setImagesWhileDown(draft, (recorded) => imagesAfterwards(draft, recorded));',
        replace: 'setImagesWhileDown(draft, () => ({}));',
      },
      {
        file: UNDO,
        find: 'bringBack(draft, (recorded) => imagesAfterwards(draft, recorded));',
        replace: 'bringBack(draft, () => ({}));',
      },
    ],
    shownBy: /^verification-fails\/patch-migration-status\.1:409$/,
  },
  {
    name: 'a run that has ended is written again and again',
    patches: [
      {
        file: 'operator/controller/decide/settle.ts',
        find: "draft.aim('Finished');",
        replace: `draft.aim('Finished');
  draft.record({ completionTime: new Date(draft.seen.now).toISOString() });
  draft.lookAgain(1000);`,
      },
    ],
    shownBy: ANY,
  },
  {
    name: 'a runner that has not reported yet counts as dead',
    patches: [
      {
        file: 'operator/controller/decide/keep-runner-alive.ts',
        find: 'if (hasDied(current))',
        replace: 'if (hasDied(current) || draft.runner?.epoch !== epoch)',
      },
    ],
    shownBy: ANY,
  },
  {
    name: 'the finalizer goes before the runner has cleaned up',
    patches: [
      {
        file: 'operator/controller/decide/settle.ts',
        find: 'if (runnerHasFinished(draft)) {',
        replace: 'if (draft.runner || runnerHasFinished(draft)) {',
      },
    ],
    shownBy: /^deleted\/patch-run\.\d:(409|kill-after)$/,
  },
  {
    name: 'an older version carries on a run of a newer one',
    patches: [
      {
        file: 'operator/controller/decide/protocol.ts',
        find: 'return spec.protocol > RUN_PROTOCOL;',
        replace: 'return false && spec.protocol > RUN_PROTOCOL;',
      },
    ],
    shownBy: /^success\/patch-run-status\.[4-6]:downgrade$/,
  },
];
