import type { Hold, HeldStep } from './held-steps.ts';
import type { ManifestChanges } from './manifest.ts';
import type { Scenario } from './scenario.ts';

/** Applies the manifest, waits until the step is under way, and lets fate strike in it. */
async function inTheMiddle(
  scene: Scenario,
  { step, hold }: HeldStep,
  strike: () => Promise<unknown>,
  startPolicy: ManifestChanges['startPolicy'] = 'AfterUnfence',
): Promise<void> {
  const { when } = scene;
  const held: Hold = await hold(scene);
  await when.applied({ spec: held.spec, startPolicy });
  if (held.begin) {
    await when.step(held.begin.at);
    await held.begin.hold();
  }
  await when.step(step);
  try {
    await strike();
  } finally {
    await held.release?.();
  }
}

/**
 * The replica that leads is killed in a step; the other one goes on when the Lease has expired. The new version boots
 * behind the fence here, which is more for the operator to lose.
 */
export function operatorKilled(scene: Scenario, held: HeldStep): Promise<void> {
  return inTheMiddle(scene, held, () => scene.when.operatorIsKilled(), 'BehindFence');
}

/** The runner is killed in a step, which stays held until the operator has decided on another start. */
export function runnerKilled(scene: Scenario, held: HeldStep): Promise<void> {
  return inTheMiddle(scene, held, async () => {
    await scene.when.runnerIsKilled();
    await scene.when.run(({ spec }) => spec.runnerEpoch > 1, 'the operator has decided on another start of the runner');
  });
}

/** PostgreSQL is killed in a step, and with it every session; its StatefulSet starts it again. */
export function postgresRestarted(scene: Scenario, held: HeldStep): Promise<void> {
  return inTheMiddle(scene, held, () => scene.when.databaseIsKilled());
}
