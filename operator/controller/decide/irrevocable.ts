import type { RunDecision } from './decision.ts';
import type { RunObservation } from './observation.ts';

/**
 * Whether a decision begins what cannot be taken back: another start of the runner, undoing the run, its end. Such a one
 * is made on a current look only.
 */
export function isIrrevocable({ run }: RunObservation, { spec, status, finalizer }: RunDecision): boolean {
  const isFailing = status?.failure !== undefined && run.status?.failure === undefined;
  const isEnding = status?.outcome !== undefined && run.status?.outcome === undefined;
  return spec?.runnerEpoch !== undefined || isFailing || isEnding || finalizer === 'Remove';
}
