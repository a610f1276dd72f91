import type { PhaseMigrationRunStatus } from '../../api/phase-migration-run.ts';
import type { OperatorStatus, RunDecision } from './decision.ts';
import type { RunObservation } from './observation.ts';

/**
 * Whether a decision begins what cannot be taken back: another start of the runner, undoing the run, a verification that
 * failed, that the fence may be lifted, the end of the outage or of the run. Such a one is made on a current look only.
 */
export function isIrrevocable(seen: RunObservation, { spec, status, finalizer }: RunDecision): boolean {
  const before = seen.run.status ?? {};
  const says = (what: (status: OperatorStatus) => unknown) => Boolean(status && what(status)) && !what(before);
  return (
    spec?.runnerEpoch !== undefined ||
    finalizer === 'Remove' ||
    (spec?.goal !== undefined && !seesEveryPod(seen)) ||
    says(({ failure }) => failure) ||
    says(({ outcome }) => outcome) ||
    says(({ workloadsStopped }) => workloadsStopped) ||
    says(({ outage }) => outage?.endTime) ||
    failedVerifications(status) > failedVerifications(before)
  );
}

/** A server whose memory lags may not know the newest pods: then a workload looks as if all of them had been told to stop. */
function seesEveryPod({ run, workloads }: RunObservation): boolean {
  return (run.status?.workloads ?? []).every(({ kind, name, replicas }) =>
    workloads.some((workload) => workload.kind === kind && workload.name === name && workload.pods.length >= replicas),
  );
}

function failedVerifications(status: Pick<PhaseMigrationRunStatus, 'verificationJobs'> | undefined): number {
  return status?.verificationJobs?.filter(({ state }) => state === 'Failed').length ?? 0;
}
