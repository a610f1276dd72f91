import { StepFailure } from './core/failure.ts';
import { sqlState, type Session } from './postgres/session.ts';
import type { DatabaseAddress } from './postgres/url.ts';
import type { Reporter } from './reporter.ts';

/**
 * Records which database of which server a run works on when it connects for the first time, and refuses every other
 * one afterwards: the Secret may be changed while the run goes on.
 *
 * The identifier is that of the cluster's control file
 * (https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-INFO-CONTROLDATA).
 *
 * @throws StepFailure saying what the URL should lead to
 */
export async function refuseAnotherServer(
  maintenance: Session,
  { database, host, port }: DatabaseAddress,
  reporter: Reporter,
): Promise<void> {
  const identifier = await systemIdentifier(maintenance);
  if (identifier === undefined) return;
  const found = { systemIdentifier: identifier, name: database };
  const recorded = reporter.status.database;
  if (!recorded) {
    reporter.update({ database: found });
    return;
  }
  if (recorded.systemIdentifier === found.systemIdentifier && recorded.name === found.name) return;
  throw new StepFailure(
    'DatabaseChanged',
    `the Secret's URL leads to database "${found.name}" of the server with system identifier ${found.systemIdentifier} (${host}:${port}), but this run began on "${recorded.name}" of ${recorded.systemIdentifier}; give the Secret the URL of that database again`,
  );
}

/** Undefined where the server lets nobody but its superuser ask. */
async function systemIdentifier(session: Session): Promise<string | undefined> {
  try {
    const row = await session.one('SELECT system_identifier::text AS identifier FROM pg_catalog.pg_control_system()');
    return String(row['identifier']);
  } catch (error) {
    const INSUFFICIENT_PRIVILEGE = '42501';
    if (sqlState(error) === INSUFFICIENT_PRIVILEGE) return undefined;
    throw error;
  }
}
