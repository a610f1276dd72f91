/**
 * Reasons in conditions, steps and events: part of the API contract, never renamed. The text is what
 * docs/api-reference.md says of them.
 */
export const REASONS = {
  // A run that goes on
  Suspended: 'spec.suspend is true: nothing new is begun.',
  Preparing: 'The runner is starting, checking and backing up; users notice nothing.',
  WaitingForLock: 'Another run works on the same database; its name is in the message.',
  RunnerNotStarted: 'The runner’s pod has not started; the message is the kubelet’s own.',
  Migrating: 'The application is down and the migration is being carried out.',
  RollingBack: 'The run failed and is being undone.',
  // Ends
  Succeeded: 'The database is at the wanted revision and the application is back.',
  AlreadyAtTarget: 'The database was at the target revision already: no outage was needed.',
  RolledBackAsRequested: 'spec.state is RolledBack and the migration was undone.',
  NothingToRollBack: 'spec.state is RolledBack and the migration was not applied.',
  // Failures before users notice anything
  WorkloadNotFound: 'A workload of the spec does not exist.',
  ContainerNotFound: 'A workload has no container of the name that spec.workloads[].images gives.',
  PreparationDeadlineExceeded: 'The run was not ready for its outage in time.',
  DatabaseUnreachable: 'The runner cannot reach the database.',
  AuthenticationFailed: 'The database refused the user name or password.',
  DatabaseNotFound: 'The database of the URL does not exist.',
  InvalidDatabaseURL: 'The Secret’s value is not a postgres:// URL with a host and a database.',
  PostgresVersionTooOld: 'The server is older than spec.preflight.minPostgresVersion.',
  ClientVersionMissing: 'The runner’s image has no pg_dump of the server’s major version.',
  TransactionPooler: 'The URL leads to a pooler in transaction mode; a direct connection is needed.',
  InsufficientPrivilege: 'The role lacks a privilege; the message names it and the GRANT that gives it.',
  NotEnoughDisk: 'There is less free disk than spec.preflight.freeDiskFactor asks for.',
  PreparedTransactions: 'Prepared transactions hold locks in the database.',
  ReplicationSlots: 'A replication slot or subscription would block the restore point.',
  UnexpectedRevision: 'The database is at another revision than migrations.from.',
  UnknownRevision: 'A revision has no migration file.',
  MigrationChanged: 'The file of an applied migration has changed since.',
  MigrationOutOfOrder: 'Migrations were applied in another order than the files have.',
  MigrationVanished: 'The file of an applied migration is gone.',
  InvalidMigration: 'A migration file cannot be read or parsed.',
  DownMissing: 'A migration has no `down` and the rollback needs it.',
  CheckFailed: 'A check was answered otherwise than expected.',
  BackupFailed: 'The backup could not be made or not be read back.',
  // Failures in the outage
  ScaleDownFailed: 'A workload could not be scaled down.',
  FenceFailed: 'Clients could not be kept out; the message names the sessions that stayed.',
  RestorePointFailed: 'The restore point could not be taken.',
  MigrationFailed: 'A migration failed; the message is PostgreSQL’s own.',
  SnapshotMismatch: 'A figure differs from what was recorded before.',
  VerificationJobFailed: 'A verification Job failed; its last lines are in the message.',
  OutageDeadlineExceeded: 'The outage took longer than spec.outageDeadlineSeconds.',
  ScaleUpFailed: 'A workload did not become ready on the new version.',
  SmokeTestFailed: 'The application did not answer as expected.',
  RunnerFailed: 'The runner ended again and again before it could finish.',
  DatabaseTakenOver: 'The lock on the database was lost to somebody else.',
  Deleted: 'The PhaseMigration was deleted while the run went on.',
  // Rollback
  RolledBack: 'The run failed and everything was undone.',
  NothingChanged: 'The run failed before anything was changed.',
  RollbackFailed: 'The migration could not be undone: the application stays down and the fence stays up.',
  RollbackVerificationFailed: 'After the rollback the database is not what it was.',
} as const;
export type Reason = keyof typeof REASONS;
