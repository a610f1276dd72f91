import type { StepName } from '../../operator/api/step-names.ts';
import { TRANSFORM } from './migration-files.ts';
import type { Scenario } from './scenario.ts';

/** What keeps a step open until something has happened in it. */
export interface Hold {
  /** Changes of the manifest that slow the step down or fail the run later. */
  spec: Record<string, unknown>;
  /** Called when the step before it is under way: begins to hold. */
  begin?: { at: StepName; hold: () => Promise<void> };
  /** Lets the step go on. */
  release?: () => Promise<void>;
}

/** A step of a run, and how it is held open. */
export interface HeldStep {
  step: StepName;
  hold: (scene: Scenario) => Promise<Hold>;
}

/** Long enough for a watch to tell of it and for a kill to arrive. */
const SECONDS = 2;
const slowCheck = { name: 'slow', query: `SELECT 0 FROM pg_sleep(${SECONDS})` };
/** Long enough to open a session meanwhile, on a busy machine too. */
const slowerCheck = { ...slowCheck, query: `SELECT 0 FROM pg_sleep(${4 * SECONDS})` };
const slowSnapshot = { name: 'slow', query: `SELECT 1 FROM pg_sleep(${SECONDS})` };
const slowly = (text: string) => `SELECT pg_sleep(${SECONDS});\n${text}`;

/** A session of a superuser, which the runner may not end, keeps the fence from being proved. */
async function stranger({ given }: Scenario): Promise<Hold['release']> {
  const session = await given.session('planner');
  return () => session.release();
}

/** Uncommitted changes of the role keep others from changing it. */
function lockedRole({ given }: Scenario, at: StepName): Pick<Hold, 'begin' | 'release'> {
  let release: Hold['release'];
  const hold = async () => {
    const session = await given.session('postgres', "BEGIN; ALTER ROLE planner_app VALID UNTIL 'infinity'");
    release = () => session.release();
  };
  return { begin: { at, hold }, release: async () => release?.() };
}

/** The way to success. */
export const forwardSteps: HeldStep[] = [
  { step: 'Preflight', hold: () => Promise.resolve({ spec: { preflight: { checks: [slowCheck] } } }) },
  { step: 'Backup', hold: heldBackup },
  { step: 'ScaleDown', hold: () => Promise.resolve({ spec: {} }) },
  { step: 'Fence', hold: async (scene) => ({ spec: {}, release: await stranger(scene) }) },
  { step: 'RestorePoint', hold: heldClone },
  { step: 'Snapshot', hold: () => Promise.resolve({ spec: { snapshots: [slowSnapshot] } }) },
  {
    step: 'Migrate',
    hold: async ({ given }) => ({ spec: { migrations: await given.migrations({ [`${TRANSFORM}.up.sql`]: slowly }) } }),
  },
  { step: 'Verify', hold: () => Promise.resolve({ spec: { verification: { checks: [slowCheck] } } }) },
  {
    step: 'Unfence',
    hold: (scene) =>
      Promise.resolve({ spec: { verification: { checks: [slowerCheck] } }, ...lockedRole(scene, 'Verify') }),
  },
  { step: 'ScaleUp', hold: () => Promise.resolve({ spec: {} }) },
  { step: 'SmokeTest', hold: heldSmokeTest },
];

/** The way back after a smoke test that fails: clients may have written, so `down` undoes it. */
export const backwardSteps: HeldStep[] = [
  { step: 'RollbackScaleDown', hold: () => Promise.resolve({ spec: failing }) },
  { step: 'RollbackFence', hold: heldRollbackFence },
  {
    step: 'Rollback',
    hold: async ({ given }) => {
      const migrations = await given.migrations({ [`${TRANSFORM}.down.sql`]: slowly });
      return { spec: { ...failing, migrations } };
    },
  },
  { step: 'VerifyRollback', hold: () => Promise.resolve({ spec: slowlyVerified }) },
  {
    step: 'RollbackUnfence',
    hold: (scene) => Promise.resolve({ spec: moreSlowlyVerified, ...lockedRole(scene, 'VerifyRollback') }),
  },
  { step: 'RollbackScaleUp', hold: () => Promise.resolve({ spec: failing }) },
];

const failing = {
  smokeTests: [
    {
      name: 'unanswered',
      timeoutSeconds: 2,
      http: { service: 'planner-backend', port: 80, path: '/api/v1/status', expectedBody: 'no such words' },
    },
  ],
};
const moreSlowlyVerified = { ...failing, verification: { rollbackChecks: [slowerCheck] } };
const slowlyVerified = { ...failing, verification: { rollbackChecks: [slowCheck] } };

/** pg_dump waits for the lock of a table that nothing else looks at. */
async function heldBackup({ given }: Scenario): Promise<Hold> {
  await given.sql('CREATE TABLE public.held (id int); ALTER TABLE public.held OWNER TO planner_owner');
  const session = await given.session('planner', 'BEGIN; LOCK TABLE public.held IN ACCESS EXCLUSIVE MODE');
  return { spec: {}, release: () => session.release() };
}

/** CREATE DATABASE … TEMPLATE needs the database to itself; a comment on it that is not committed is enough to wait for. */
async function heldClone({ given }: Scenario): Promise<Hold> {
  const session = await given.session('postgres', "BEGIN; COMMENT ON DATABASE planner IS 'held'");
  return { spec: {}, release: () => session.release() };
}

/** The Service that is asked has pods only when it is let go. */
export async function heldSmokeTest({ given }: Scenario): Promise<Hold> {
  const name = 'planner-late';
  const service = (application: string) => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name },
    spec: { selector: { 'app.kubernetes.io/name': application }, ports: [{ port: 80, targetPort: 'http' }] },
  });
  await given.object(service('nobody'));
  const http = { service: name, port: 80, path: '/api/v1/status', expectedBody: '2.0.0' };
  const smokeTests = [{ name: 'late', timeoutSeconds: 60, http }];
  return { spec: { smokeTests }, release: () => given.object(service('planner-backend')) };
}

/** The forward fence must pass, so the stranger comes when it is lifted. */
function heldRollbackFence(scene: Scenario): Promise<Hold> {
  let release: Hold['release'];
  const hold = async () => {
    release = await stranger(scene);
  };
  return Promise.resolve({ spec: failing, begin: { at: 'SmokeTest', hold }, release: async () => release?.() });
}
