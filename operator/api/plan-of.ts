import type { PhaseMigrationSpec } from './phase-migration.ts';
import type { Plan } from './plan.ts';

/** The frozen part of a spec: what a run takes over. The API server has filled in defaults and refused all else. */
export function planOf({
  state: _state,
  suspend: _suspend,
  resolution: _resolution,
  ...plan
}: PhaseMigrationSpec): Plan {
  return plan;
}
