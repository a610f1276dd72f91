import type { PhaseMigrationRunSpec } from '../../api/phase-migration-run.ts';
import {
  inverse,
  isViolation,
  judgeHistory,
  planOperations,
  withoutDown,
  type Migration,
  type Violation,
} from './migrations.ts';
import { judgeClientRole, type ClientRole } from './client-roles.ts';
import type { LedgerState } from './ledger.ts';
import { LONGEST_REVISION } from './reportable.ts';
import { neededOnServer, type RestorePointChoice } from './restore-point-choice.ts';
import { mebibytes } from './words.ts';

/** Everything that was looked up before users are affected. */
export interface PreflightFacts {
  spec: PhaseMigrationRunSpec;
  database: string;
  server: { major: number; text: string };
  hasPgDump: boolean;
  role: { name: string; superuser: boolean; createDatabase: boolean; createRole: boolean; signalBackend: boolean };
  /** The runner's role is the database's owner, or a member of it. */
  owner: { name: string; mayAct: boolean };
  clientRoles: ClientRole[];
  /** Roles that may log in although all client roles are refused. */
  otherLogins: string[];
  preparedTransactions: string[];
  /** Replication slots and subscriptions of the database. */
  replication: string[];
  sizeBytes: number;
  disks: { backupVolume: number; server?: number | undefined };
  ledger: LedgerState | undefined;
  files: Migration[];
  fileViolations: Violation[];
  restorePoint: RestorePointChoice;
  /** What the runner's role may not do of what gives a restore point the database's own settings, in PostgreSQL's words. */
  settingsRefused: string[];
  /** What of the database the runner's role could not make anew from an archive, and why. */
  unrestorable: string[];
}

type Policy = (facts: PreflightFacts) => Violation[];

const violation = (reason: Violation['reason'], message: string): Violation => ({ reason, message });

const version: Policy = ({ server, spec }) =>
  server.major >= spec.plan.preflight.minPostgresVersion
    ? []
    : [
        violation(
          'PostgresVersionTooOld',
          `the server is PostgreSQL ${server.text}, but preflight.minPostgresVersion is ${spec.plan.preflight.minPostgresVersion}`,
        ),
      ];

const client: Policy = ({ hasPgDump, server }) =>
  hasPgDump
    ? []
    : [
        violation(
          'ClientVersionMissing',
          `the runner’s image has no pg_dump of version ${server.major}; use a runner image that has it`,
        ),
      ];

const ownership: Policy = ({ owner, role, database }) =>
  owner.mayAct || role.superuser
    ? []
    : [
        violation(
          'InsufficientPrivilege',
          `role "${role.name}" is not the owner of database "${database}": GRANT "${owner.name}" TO "${role.name}"`,
        ),
      ];

/** What makes a database beside the one that is migrated, and how to do without. */
function copiesOf({ restorePoint: { method }, spec }: PreflightFacts): { what: string; without: string }[] {
  const { rehearsal } = spec.plan.backup;
  return [
    ...(method === 'None' ? [] : [{ what: 'a restore point', without: 'rollback.restorePoint None' }]),
    ...(rehearsal === 'Read' ? [] : [{ what: 'the rehearsal of the backup', without: 'backup.rehearsal Read' }]),
  ];
}

const createDatabase: Policy = (facts) => {
  const { role } = facts;
  const copies = copiesOf(facts);
  if (copies.length === 0 || role.superuser || role.createDatabase) return [];
  const needs = copies.map(({ what }) => what).join(' and ');
  const without = copies.map((copy) => copy.without).join(' and ');
  const message = `role "${role.name}" may not create databases, which ${needs} ${copies.length > 1 ? 'need' : 'needs'}: ALTER ROLE "${role.name}" CREATEDB, or set ${without}`;
  return [violation('InsufficientPrivilege', message)];
};

const signal: Policy = ({ role, clientRoles }) => {
  const others = clientRoles.filter(({ exists, member }) => exists && !member).map(({ name }) => `"${name}"`);
  return role.superuser || role.signalBackend || others.length === 0
    ? []
    : [
        violation(
          'InsufficientPrivilege',
          `role "${role.name}" may not end the sessions of ${others.join(', ')}: GRANT pg_signal_backend TO "${role.name}"`,
        ),
      ];
};

const fenceable: Policy = (facts) => facts.clientRoles.flatMap((client) => judgeClientRole(facts, client));

const sharedRole: Policy = ({ role, clientRoles }) =>
  clientRoles.length === 0 && role.superuser
    ? [
        violation(
          'InsufficientPrivilege',
          `role "${role.name}" is a superuser, whom CONNECTION LIMIT 0 does not keep out: name the application’s roles in database.clientRoles`,
        ),
      ]
    : [];

const prepared: Policy = ({ preparedTransactions }) =>
  preparedTransactions.length === 0
    ? []
    : [
        violation(
          'PreparedTransactions',
          `prepared transactions hold locks: ${preparedTransactions.join(', ')}; COMMIT PREPARED or ROLLBACK PREPARED them`,
        ),
      ];

const replication: Policy = ({ replication: blockers, restorePoint }) =>
  blockers.length === 0 || restorePoint.method === 'None'
    ? []
    : [
        violation(
          'ReplicationSlots',
          `${blockers.join(', ')} would be lost or block when the restore point takes the database’s place: drop them, or set rollback.restorePoint None`,
        ),
      ];

const settings: Policy = (facts) => {
  const { settingsRefused, database, role } = facts;
  return copiesOf(facts).flatMap(({ what, without }) =>
    settingsRefused.map((refusal) =>
      violation(
        'InsufficientPrivilege',
        `role "${role.name}" could not give ${what} what belongs to database "${database}" itself: ${refusal}; grant it, or set ${without}`,
      ),
    ),
  );
};

const archive: Policy = ({ unrestorable, restorePoint: { method }, role }) =>
  method === 'Dump' && unrestorable.length > 0
    ? [
        violation(
          'InsufficientPrivilege',
          `role "${role.name}" could not put back a restore point that is an archive: ${listed(unrestorable)}. Set rollback.restorePoint Template, which copies everything, or GRANT it the roles that own them`,
        ),
      ]
    : [];

function listed(objects: string[]): string {
  const MOST = 10;
  const more = objects.length > MOST ? [`${objects.length - MOST} more`] : [];
  return [...objects.slice(0, MOST), ...more].join('; ');
}

/** What people should know of the backup before they need it. */
export function warnOfArchive({ unrestorable, role }: Pick<PreflightFacts, 'unrestorable' | 'role'>): string[] {
  return unrestorable.length === 0
    ? []
    : [
        `The backup can be restored by a superuser, but not by role "${role.name}", and so not by RestoreBackup: ${listed(unrestorable)}.`,
      ];
}

const disk: Policy = ({ disks, sizeBytes, spec, restorePoint: { method } }) => {
  const { freeDiskFactor } = spec.plan.preflight;
  const room = { wanted: spec.plan.rollback.restorePoint, freeDiskFactor, sizeBytes };
  const { backupVolume, server = Infinity } = disks;
  const fitsArchive = method === 'Template' && server >= neededOnServer('Dump', room);
  const remedy = fitsArchive ? '; rollback.restorePoint Dump needs one size less' : '';
  const volume = judgeDisk('the backup volume', backupVolume, { factor: freeDiskFactor, sizeBytes });
  const factor = neededOnServer(method, room) / sizeBytes;
  return [...volume, ...judgeDisk('the server’s data directory', server, { factor, sizeBytes }, remedy)];
};

function judgeDisk(
  what: string,
  free: number,
  { factor, sizeBytes }: { factor: number; sizeBytes: number },
  remedy = '',
): Violation[] {
  const needed = factor * sizeBytes;
  if (free >= needed) return [];
  return [
    violation(
      'NotEnoughDisk',
      `${what} has ${mebibytes(free)} free, but ${factor} × the database’s size is ${mebibytes(needed)}${remedy}`,
    ),
  ];
}

const revision: Policy = ({ ledger, spec, database }) => {
  if (!ledger)
    return [
      violation(
        'UnexpectedRevision',
        `database "${database}" has no ledger of migrations, but "${spec.startRevision}" was expected; declare what is there with: runner migrate --baseline ${spec.startRevision} --to ${spec.startRevision}`,
      ),
    ];
  const unexplained = ledger.unexplained.map(({ name, direction }) =>
    violation(
      'UnexpectedRevision',
      `the ledger says that "${name}" (${direction}) was begun outside a transaction and not how it ended; find out and record it before anything else`,
    ),
  );
  if (ledger.revision === spec.startRevision) return unexplained;
  return [
    ...unexplained,
    violation(
      'UnexpectedRevision',
      `database "${database}" is at revision "${ledger.revision ?? 'none'}", but "${spec.startRevision}" was expected; migrate it there first, or correct migrations.from`,
    ),
  ];
};

const files: Policy = ({ files: migrations, fileViolations, ledger, spec }) => {
  const operations = planOperations(migrations, spec);
  const violations = operations.filter(isViolation);
  const ordered = operations.flatMap((item) => (isViolation(item) ? [] : [item]));
  const { strategy } = spec.plan.rollback;
  const needed = [...ordered, ...(strategy === 'Down' ? inverse(ordered) : [])];
  const downs = withoutDown(needed).map(({ name }) =>
    violation(
      'DownMissing',
      `migration "${name}" has no down, which ${strategy === 'Down' ? 'rollback.strategy Down' : 'undoing it'} needs`,
    ),
  );
  return [
    ...fileViolations,
    ...violations,
    ...ordered.flatMap(({ migration }) => judgeRevision(migration)),
    ...downs,
    ...judgeHistory(migrations, ledger?.applied ?? []),
  ];
};

function judgeRevision({ name, revision: { length } }: Migration): Violation[] {
  if (length <= LONGEST_REVISION) return [];
  const message = `the revision of "${name}" has ${length} characters, but a run can tell of no more than ${LONGEST_REVISION}: give its file a shorter one`;
  return [violation('InvalidMigration', message)];
}

/** In the order in which people should read them: the first one's reason is the step's. */
const POLICIES: Policy[] = [
  version,
  client,
  revision,
  files,
  ownership,
  createDatabase,
  fenceable,
  sharedRole,
  signal,
  prepared,
  replication,
  settings,
  archive,
  disk,
];

/** Everything that stands against beginning. */
export function judgePreflight(facts: PreflightFacts): Violation[] {
  return POLICIES.flatMap((policy) => policy(facts));
}
