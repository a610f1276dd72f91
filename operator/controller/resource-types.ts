import { GROUP, VERSION } from '../api/names.ts';
import type { PhaseMigration as PhaseMigrationBody, PhaseMigrationRun as RunBody } from '../api/resources.ts';
import type { ResourceType } from '../kube/types.ts';

export const PhaseMigration: ResourceType<PhaseMigrationBody> = {
  group: GROUP,
  version: VERSION,
  kind: 'PhaseMigration',
  plural: 'phasemigrations',
  namespaced: true,
};

export const PhaseMigrationRun: ResourceType<RunBody> = {
  group: GROUP,
  version: VERSION,
  kind: 'PhaseMigrationRun',
  plural: 'phasemigrationruns',
  namespaced: true,
};
