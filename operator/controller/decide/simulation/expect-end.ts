import { expect } from 'chai';
import type { PhaseMigrationRunStatus } from '../../../api/phase-migration-run.ts';
import type { OperatorStepName } from '../../../api/step-names.ts';
import type { OperatorStep } from '../../../api/step.ts';
import { NEW_IMAGE, OLD_IMAGE, REPLICAS, type World } from './world.ts';

/** A step that scales down says what came true, and is over when the workloads are brought back. */
function expectOrder(steps: OperatorStep[]): void {
  const find = (wanted: OperatorStepName) => steps.find(({ name }) => name === wanted);
  for (const [down, up] of [
    ['ScaleDown', 'ScaleUp'],
    ['ScaleDown', 'RollbackScaleUp'],
    ['RollbackScaleDown', 'RollbackScaleUp'],
  ] as const) {
    const [end, beginning] = [find(down)?.completionTime, find(up)?.startTime];
    if (end && beginning) expect(Date.parse(end), `end of ${down}`).to.be.at.most(Date.parse(beginning));
  }
  expect(
    steps.filter(({ message }) => !message),
    'steps that say nothing',
  ).to.deep.equal([]);
}

/** Whatever the operator died between: how long the outage was, and what became of every step, is told. */
function expectWholeRecord(status: PhaseMigrationRunStatus | undefined): void {
  if (status?.outage) expect(status.outage.endTime, 'end of the outage').to.not.equal(undefined);
  const named = (wanted: OperatorStepName) => status?.steps?.some(({ name }) => name === wanted);
  // What a person accepted is not tested: he has said that it is right.
  if (status?.outcome === 'Succeeded' && named('ScaleUp') && !status.runner?.acceptedRevision)
    expect(named('SmokeTest'), 'SmokeTest').to.equal(true);
}

/** What must be true of a run that everybody has had their turn in, however it ended. */
export function expectEnd(world: World, direction: 'Up' | 'Down'): void {
  const status = world.run?.status;
  const outcome = status?.outcome;
  expect(outcome, JSON.stringify(status?.conditions)).to.not.equal(undefined);
  const open = [...(status?.steps ?? []), ...(status?.runner?.steps ?? [])].filter(({ state }) => state === 'Running');
  expect(open, 'steps that look as if they went on').to.deep.equal([]);
  expectOrder(status?.steps ?? []);
  const atWork = world.verificationJobs.filter(({ finished, deleting }) => !finished && !deleting);
  expect(atWork, 'verification Jobs that are still at work').to.deep.equal([]);
  const [start, target] = direction === 'Up' ? (['Old', 'New'] as const) : (['New', 'Old'] as const);
  if (outcome === 'NeedsHuman') {
    expect(status?.conditions?.find(({ type }) => type === 'Stalled')?.status).to.equal('True');
    return;
  }
  expectWholeRecord(status);
  expect(world.database.schema).to.equal(outcome === 'Succeeded' ? target : start);
  expect(world.database.fenced, 'the fence').to.equal(false);
  expect(world.deployment.replicas).to.equal(REPLICAS);
  expect(world.deployment.image).to.equal(world.database.schema === 'New' ? NEW_IMAGE : OLD_IMAGE);
  expect(world.run?.metadata.finalizers).to.deep.equal([]);
}
