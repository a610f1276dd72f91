import type { VerificationJob } from '../../api/plan.ts';
import type { PhaseMigrationRun } from '../../api/resources.ts';
import type { Job } from '../../kube/resource-types.ts';
import { verificationJobName } from '../decide/verification-jobs.ts';
import { labelsOf, ownedBy, restrictedContainer, restrictedPod, VERIFICATION_LABEL } from './labels.ts';
import { GATE_PORT, imagePullSecrets, type RunnerImage } from './runner.ts';

/** A run may be suspended before its outage for as long as people like. */
const GATE_SECONDS = 30 * 24 * 3600;

/**
 * A verification Job: the user's image, held back by a gate until the runner says that the migrated schema is there.
 * It has the database's URL and no token.
 */
export function verificationJobManifest(
  run: PhaseMigrationRun,
  verification: VerificationJob,
  at: { epoch: number; runnerAddress: string },
  runner: RunnerImage,
): Job {
  const labels = { ...labelsOf(run, 'verification', at.epoch), [VERIFICATION_LABEL]: verification.name };
  const { urlSecretRef } = run.spec.plan.database;
  const { image, command, args } = verification;
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: {
      name: verificationJobName(run.metadata.name, verification.name, at.epoch),
      namespace: run.metadata.namespace,
      labels,
      ownerReferences: ownedBy(run),
    },
    spec: {
      backoffLimit: 0,
      template: {
        metadata: { labels },
        spec: {
          automountServiceAccountToken: false,
          ...imagePullSecrets(runner),
          restartPolicy: 'Never',
          terminationGracePeriodSeconds: 5,
          securityContext: { ...restrictedPod, runAsUser: 65532, runAsGroup: 65532 },
          initContainers: [
            {
              name: 'gate',
              image: runner.image,
              imagePullPolicy: runner.pullPolicy,
              args: ['gate', `http://${at.runnerAddress}:${GATE_PORT}/released`, '--timeout', String(GATE_SECONDS)],
              securityContext: restrictedContainer,
              terminationMessagePolicy: 'FallbackToLogsOnError',
            },
          ],
          containers: [
            {
              name: 'verification',
              image,
              ...(command ? { command } : {}),
              ...(args ? { args } : {}),
              env: [
                {
                  name: 'DATABASE_URL',
                  valueFrom: { secretKeyRef: { name: urlSecretRef.name, key: urlSecretRef.key } },
                },
              ],
              securityContext: restrictedContainer,
              terminationMessagePolicy: 'FallbackToLogsOnError',
            },
          ],
        },
      },
    },
  };
}
