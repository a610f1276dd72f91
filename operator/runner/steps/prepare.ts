import { StepFailure } from '../core/failure.ts';
import { isViolation, planOperations, type Operation, type Violation } from '../core/migrations.ts';
import { warnOfOpenings } from '../core/client-roles.ts';
import { judgePreflight, warnOfArchive, type PreflightFacts } from '../core/preflight.ts';
import { askChecks, FigureFailed, takeFigures } from '../postgres/ask.ts';
import { readFingerprint } from '../postgres/fingerprint.ts';
import { clientsOf, describeBackend } from '../postgres/sessions.ts';
import { sqlState, type Session } from '../postgres/session.ts';
import { judgeQuestion } from '../sql.ts';
import { bytesInWords } from '../core/words.ts';
import { runStep, skipStep, warn, type Evidence, type Work } from '../work.ts';
import { openTarget } from '../establish.ts';
import { backupStep } from './backup.ts';
import { recordFiles } from './facts.ts';
import { gatherFacts } from './preflight-facts.ts';
import { checksBefore, PREPARATION_QUESTION_MS, startSide } from './questions.ts';
import { RESTORE_POINT } from './restore-point.ts';
import { writeSchemaBefore } from './schema-file.ts';

/** Everything that can be done while users notice nothing; afterwards all that the outage needs is in memory. */
export async function prepare(work: Work): Promise<void> {
  const { reporter } = work;
  // Asked again after every start: what it found out must still be true right before the outage.
  await runStep(work, 'Preflight', 'CheckFailed', (evidence) => preflight(work, evidence));
  if (reporter.status.alreadyAtTarget) {
    skipStep(reporter, 'Backup', 'The database is at the target revision already.');
    return;
  }
  await backupStep(work);
  await warmUp(work);
}

async function preflight(work: Work, evidence: Evidence): Promise<string> {
  const target = await openTarget(work);
  const facts = await gatherFacts(work, target);
  // That nobody else is told is a warning that people should have read before the outage.
  await work.holder.begun;
  describe(facts, evidence);
  if (facts.ledger?.revision) work.reporter.update({ revision: facts.ledger.revision });
  if (facts.ledger?.revision === work.spec.targetRevision && facts.ledger.unexplained.length === 0) {
    work.reporter.update({ alreadyAtTarget: true });
    return `The database is at revision "${work.spec.targetRevision}" already.`;
  }
  const violations = [...judgePreflight(facts), ...(await judgeQuestions(work))];
  // Questions about data are asked only of the schema that they were written for.
  if (!violations.some(({ reason }) => ['UnexpectedRevision', 'CheckFailed'].includes(reason)))
    violations.push(...(await askNow(work, target)));
  if (violations.length > 0) throw new StepFailure(violations[0]!.reason, listOf(violations));
  adoptFiles(work, facts);
  recordFiles(work, evidence);
  for (const warning of [...warnOfOpenings(facts), ...warnOfArchive(facts)]) warn(work.reporter, warning);
  await warnOfStrangers(work, facts);
  const { length } = checksBefore(work);
  const asked = length > 0 ? `; ${length} of ${length} checks as expected` : '';
  const { method, because } = facts.restorePoint;
  const restorePoint = because ? ` The restore point will be by ${method}: ${because}.` : '';
  return `PostgreSQL ${facts.server.text.split(' ')[0]}, ${bytesInWords(facts.sizeBytes)}, at revision ${facts.ledger?.revision}${asked}.${restorePoint}`;
}

function listOf(violations: Violation[]): string {
  if (violations.length === 1) return violations[0]!.message;
  return violations.map(({ reason, message }, index) => `${index + 1}. ${reason}: ${message}`).join('\n');
}

function describe(facts: PreflightFacts, evidence: Evidence): void {
  evidence['server'] = `PostgreSQL ${facts.server.text}`;
  evidence['databaseBytes'] = String(facts.sizeBytes);
  evidence['revision'] = facts.ledger?.revision ?? 'none';
  evidence[RESTORE_POINT] = facts.restorePoint.method;
  const { backupVolume, server } = facts.disks;
  evidence['free bytes on the backup volume'] = String(backupVolume);
  if (server !== undefined) evidence['free bytes on the server’s data directory'] = String(server);
}

function adoptFiles(work: Work, facts: PreflightFacts): void {
  work.files = facts.files;
  work.operations = planOperations(facts.files, work.spec).filter((item): item is Operation => !isViolation(item));
}

/** All questions of the plan, also those that are asked in the outage only, must be single reading queries. */
async function judgeQuestions(work: Work): Promise<Violation[]> {
  const { preflight: before, verification, snapshots } = work.spec.plan;
  const checks = [...before.checks, ...verification.checks, ...verification.rollbackChecks];
  const questions = [
    ...checks.map(({ name, query }) => ({ what: `check "${name}"`, query })),
    ...snapshots.flatMap(({ name, query, queryAfter }) => [
      { what: `snapshot "${name}"`, query },
      ...(queryAfter === undefined ? [] : [{ what: `queryAfter of snapshot "${name}"`, query: queryAfter }]),
    ]),
  ];
  const violations: Violation[] = [];
  for (const { what, query } of questions) {
    const wrong = await judgeQuestion(query);
    if (wrong) violations.push({ reason: 'CheckFailed', message: `${what}: ${wrong}` });
  }
  return violations;
}

async function askNow(work: Work, target: Session): Promise<Violation[]> {
  const { snapshots } = work.spec.plan;
  const options = { inTransaction: false, timeoutMs: PREPARATION_QUESTION_MS };
  const failures = await askChecks(target, checksBefore(work), options);
  try {
    await takeFigures(target, { snapshots, side: startSide(work) }, options);
  } catch (error) {
    if (!(error instanceof FigureFailed)) throw error;
    failures.push(error.message);
  }
  return failures.map((message) => ({ reason: 'CheckFailed', message }));
}

/** Sessions that the fence will end although no client role is theirs. */
async function warnOfStrangers(work: Work, facts: PreflightFacts): Promise<void> {
  if (facts.clientRoles.length === 0) return;
  const known = new Set(facts.clientRoles.map(({ name }) => name));
  const strangers = (await clientsOf(work.maintenance, work.names.target, work.sessions.pids())).filter(
    ({ user }) => !known.has(user),
  );
  for (const backend of strangers.slice(0, 5))
    warn(
      work.reporter,
      `${describeBackend(backend)} is connected and not among database.clientRoles: it will be ended, but could come back.`,
    );
}

/** The first use of a catalog and the writing of dirty pages cost time: not in the outage. */
async function warmUp(work: Work): Promise<void> {
  const target = await openTarget(work);
  work.schemaBefore = await readFingerprint(target);
  await writeSchemaBefore(work, work.schemaBefore);
  try {
    await target.query('CHECKPOINT');
  } catch (error) {
    const NOT_ALLOWED = '42501';
    if (sqlState(error) !== NOT_ALLOWED) throw error;
  }
}
