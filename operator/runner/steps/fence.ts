import type { RunnerStatus } from '../../api/phase-migration-run.ts';
import { StepFailure } from '../core/failure.ts';
import { closeTarget, currentName } from '../establish.ts';
import { renameDatabases } from '../postgres/clone.ts';
import {
  admitSessions,
  endClients,
  fenceHolds,
  planFence,
  refuseNewSessions,
  type Cleared,
} from '../postgres/fence.ts';
import { identifier } from '../postgres/identifiers.ts';
import { sqlState } from '../postgres/session.ts';
import { clientsOf, describeBackend } from '../postgres/sessions.ts';
import { count, sessionsInWords } from '../core/words.ts';
import { runStep, warn, type Evidence, type Work } from '../work.ts';
import { noticeIntruders } from './intruders.ts';

/** How long sessions may take to end after they were terminated. */
const END_TIMEOUT_MS = 15_000;

type FenceRecord = NonNullable<RunnerStatus['fence']>;

/** The fence as recorded, unless it has been lifted: then a new one is planned and recorded before it is raised. */
async function recordFence(work: Work, also: Partial<RunnerStatus>): Promise<FenceRecord> {
  const { reporter, maintenance, names } = work;
  const recorded = reporter.status.fence;
  // One whose lifting began may stand as well: planned anew, it would forget the roles that it still refuses.
  const standing = recorded?.state === 'Lifted' ? undefined : recorded;
  if (standing?.state === 'Raised') {
    await noticeOpenedFence(work, standing);
    return standing;
  }
  const plan = standing ?? (await planFence(maintenance, names.target, work.spec.plan.database.clientRoles));
  const fence: FenceRecord = { ...plan, state: 'Raising' };
  reporter.update({ fence, ...also });
  await reporter.flush();
  return fence;
}

/** Somebody else let clients in behind our back: what they wrote must not be lost. */
async function noticeOpenedFence(work: Work, fence: FenceRecord): Promise<void> {
  if (await fenceHolds(work.maintenance, await currentName(work), fence)) return;
  if ((await currentName(work)) === work.names.hidden) return;
  warn(work.reporter, 'Somebody let clients in although the fence was up; it was raised again.');
  work.reporter.update({ clientWrites: 'Possible' });
  await work.reporter.flush();
}

/** Raises the fence: recorded first, then made, then proved by counting client sessions to zero twice. */
export async function raiseFence(work: Work, evidence: Evidence, also: Partial<RunnerStatus> = {}): Promise<string> {
  const wasUp = work.reporter.status.fence?.state === 'Raised';
  const fence = await recordFence(work, also);
  const database = await currentName(work);
  if (database === work.names.target) await refuseNewSessions(work.maintenance, database, fence);
  const cleared = await clearClients(work, database);
  const { ended } = cleared;
  if (wasUp) await noticeIntruders(work, ended);
  evidence['endedSessions'] = String(ended.length);
  evidence['refused'] = fence.mode === 'RolesNoLogin' ? `roles ${rolesOf(fence)}` : 'CONNECTION LIMIT 0';
  work.reporter.update({ fence: { ...fence, state: 'Raised' } });
  const refused = fence.mode === 'RolesNoLogin' ? `Roles refused: ${rolesOf(fence)}` : 'CONNECTION LIMIT 0';
  return `${refused}; ${count(ended.length, 'session')} ended${ended.length > 0 ? ` (${sessionsInWords(ended)})` : ''}.`;
}

function rolesOf(fence: FenceRecord): string {
  return (fence.roles ?? []).join(', ') || 'none';
}

async function clearClients(work: Work, database: string): Promise<Cleared> {
  const own = () => work.sessions.pids();
  const cleared = await endClients(work.maintenance, database, { own, timeoutMs: END_TIMEOUT_MS });
  if (cleared.stayed.length === 0) return cleared;
  const list = cleared.stayed
    .map(
      (backend) =>
        `${describeBackend(backend)}${cleared.refused.has(backend.pid) ? `: ${cleared.refused.get(backend.pid)}` : ''}`,
    )
    .join('; ');
  const advice =
    cleared.refused.size > 0
      ? 'end them by hand, or let the runner end them: GRANT pg_signal_backend (a superuser’s session only a superuser can end)'
      : 'they come back as fast as they are ended: stop what opens them, or name their roles in database.clientRoles';
  throw new StepFailure(
    'FenceFailed',
    `${cleared.stayed.length} sessions stayed on database "${database}": ${list}; ${advice}`,
  );
}

/** How often something that needs a database without sessions is tried again when one appeared in between. */
const ATTEMPTS = 3;

/**
 * Carries out what PostgreSQL does only with a database that nobody is connected to. Whoever logged in meanwhile (a
 * person with the owner's role, say) is ended, and it is tried again.
 */
export async function withoutSessions<T>(work: Work, act: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await act();
    } catch (error) {
      const OBJECT_IN_USE = '55006';
      if (sqlState(error) !== OBJECT_IN_USE || attempt === ATTEMPTS) throw error;
      await raiseFence(work, {});
    }
  }
}

/**
 * @throws StepFailure when a client has got in behind the fence
 */
export async function assertNoClients(work: Work): Promise<void> {
  const strangers = await clientsOf(work.maintenance, await currentName(work), work.sessions.pids());
  if (strangers.length === 0) return;
  await noticeIntruders(work, strangers);
  throw new StepFailure('FenceFailed', `clients got in behind the fence: ${strangers.map(describeBackend).join('; ')}`);
}

/** Lifts the fence; that clients may have written from now on is recorded and acknowledged first. */
export async function liftFence(work: Work, also: Partial<RunnerStatus> = {}): Promise<void> {
  const { reporter } = work;
  const fence = reporter.status.fence;
  if (!fence || fence.state === 'Lifted') return;
  reporter.update({ fence: { ...fence, state: 'Lifting' }, ...also });
  await reporter.flush();
  if ((await currentName(work)) === work.names.hidden) await reveal(work, fence.connectionLimit ?? -1);
  else await admitSessions(work.maintenance, work.names.target, fence);
  reporter.update({ fence: { ...fence, state: 'Lifted' } });
}

async function reveal(work: Work, connectionLimit: number): Promise<void> {
  const { hidden, target } = work.names;
  await closeTarget(work);
  await renameDatabases(
    work.maintenance,
    [[hidden, target]],
    [`ALTER DATABASE ${identifier(target)} CONNECTION LIMIT ${connectionLimit}`],
  );
}

export function fenceStep(
  work: Work,
  name: 'Fence' | 'RollbackFence',
  also: Partial<RunnerStatus> = {},
): Promise<void> {
  return runStep(work, name, 'FenceFailed', (evidence) => raiseFence(work, evidence, also));
}

export function unfenceStep(
  work: Work,
  name: 'Unfence' | 'RollbackUnfence',
  also: Partial<RunnerStatus> = {},
): Promise<void> {
  const fallback = name === 'Unfence' ? 'FenceFailed' : 'RollbackFailed';
  return runStep(work, name, fallback, async () => {
    await liftFence(work, also);
    const { fence } = work.reporter.status;
    if (!fence) return undefined;
    return fence.mode === 'RolesNoLogin'
      ? `Roles admitted again: ${rolesOf(fence)}.`
      : `CONNECTION LIMIT is ${fence.connectionLimit ?? -1} again.`;
  });
}
