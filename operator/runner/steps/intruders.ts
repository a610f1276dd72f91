import { epochOf } from '../core/names.ts';
import { currentName } from '../establish.ts';
import { describeBackend, type Backend } from '../postgres/sessions.ts';
import { warn, type Work } from '../work.ts';

/**
 * Takes notice of sessions that were found although the fence was up: acknowledged before anything else is done, for
 * once they have ended nothing tells of them any more. Where they may be a client's, what they wrote must not be lost.
 */
export async function noticeIntruders(work: Work, found: Backend[]): Promise<void> {
  if (found.length === 0) return;
  const { reporter } = work;
  const clients = await clientsAmong(work, found);
  // pg_dump of the run itself is on its way out for a moment.
  const told = found.filter(
    (backend) => clients.includes(backend) || epochOf(work.run, backend.application) === undefined,
  );
  if (told.length === 0) return;
  for (const backend of told.slice(0, 5))
    warn(reporter, `Somebody was connected although the fence was up: ${describeBackend(backend)}.`);
  if (clients.length > 0) reporter.update({ clientWrites: 'Possible' });
  await reporter.flush();
}

/**
 * Not promised to be kept out are superusers and the owner's role (docs/guarantees.md); and whoever is no client may be a
 * verification Job, where the plan has one.
 */
async function clientsAmong(work: Work, found: Backend[]): Promise<Backend[]> {
  const { clientRoles } = work.spec.plan.database;
  const hasJobs = work.spec.plan.verification.jobs.length > 0;
  const rows = await work.maintenance.query(
    `SELECT r.rolname::text AS name FROM pg_catalog.pg_roles r, pg_catalog.pg_database d
     WHERE d.datname = $1 AND NOT r.rolsuper AND r.rolname <> CURRENT_USER AND r.oid <> d.datdba`,
    [await currentName(work)],
  );
  const names = new Set(rows.map((row) => row['name']!).filter((name) => !hasJobs || clientRoles.includes(name)));
  return found.filter(({ user }) => names.has(user));
}
