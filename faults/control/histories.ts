import type { Phase } from '../../operator/api/phase-migration.ts';
import type { PhaseMigrationRun } from '../../operator/api/resources.ts';
import { PhaseMigration } from '../../operator/controller/resource-types.ts';
import { MIGRATION, phaseMigration } from './objects.ts';
import type { Script, Site } from './site.ts';

/** What a history needs of the run that it is played in. */
export interface Stage {
  site: Site;
  /** From here on calls are numbered and faulted: what comes before is another history's part. */
  begin: () => void;
}

export interface History {
  /** In a sentence, for the list. */
  title: string;
  script: (stage: () => Stage) => Script;
  /** What a person does. Resolves when everything else is up to the operator. */
  play: (stage: Stage) => Promise<void>;
  /** The run is at its end, as far as the operator's own objects tell. */
  isTerminal: (site: Site) => boolean;
}

const passes: History['script'] = () => ({ verificationPasses: true });

const create =
  (wishes?: Parameters<typeof phaseMigration>[1]) =>
  async ({ site }: Stage): Promise<void> => {
    await site.client.create(PhaseMigration, phaseMigration(site.namespace, wishes));
  };

const ENDS: (string | undefined)[] = ['Succeeded', 'Failed', 'RolledBack', 'NeedsHuman'] satisfies Phase[];

/** So many runs, the last one settled, and the PhaseMigration says so; how it ended is for the comparison. */
function hasEnded({ seen }: Site, runs: number): boolean {
  const migration = seen.migrations.get(MIGRATION);
  const last = seen.runs.get(`${MIGRATION}-${runs}`);
  return (
    ENDS.includes(migration?.status?.phase) &&
    migration?.status?.runName === last?.metadata.name &&
    last?.status?.outcome !== undefined &&
    !last.metadata.finalizers?.length
  );
}

export const histories = {
  success: {
    title: 'a migration that succeeds, with a verification Job and a smoke test',
    script: passes,
    play: async (stage) => {
      stage.begin();
      await create()(stage);
    },
    isTerminal: (site) => hasEnded(site, 1),
  },
  'verification-fails': {
    title: 'a verification Job that fails; calls from then on',
    script: (stage) => ({
      verificationPasses: false,
      beforeVerificationEnds: () => Promise.resolve(stage().begin()),
    }),
    play: create(),
    isTerminal: (site) => hasEnded(site, 1),
  },
  'behind-fence': {
    title: 'startPolicy: BehindFence and a verification Job that fails; calls from the fence on',
    script: (stage) => ({
      verificationPasses: false,
      beforeStep: (step) => Promise.resolve(step === 'Fence' ? stage().begin() : undefined),
    }),
    play: create({ startPolicy: 'BehindFence' }),
    isTerminal: (site) => hasEnded(site, 1),
  },
  'smoke-test-fails': {
    title: 'a smoke test that is never answered, after clients have written; calls from the end of the fence on',
    script: (stage) => ({
      verificationPasses: true,
      answersNoSmokeTest: true,
      // Longer than the runner needs from fence to fence, also on a busy machine.
      drainMilliseconds: 2500,
      beforeStep: (step) => Promise.resolve(step === 'Unfence' ? stage().begin() : undefined),
    }),
    play: create({ smokeTestSeconds: 3 }),
    isTerminal: (site) => hasEnded(site, 1),
  },
  'rolled-back': {
    title: 'spec.state: RolledBack after a success; calls from then on',
    script: passes,
    play: async (stage) => {
      await create()(stage);
      const { site, begin } = stage;
      while (!hasEnded(site, 1)) await site.changed();
      begin();
      const body = { spec: { state: 'RolledBack' } };
      await site.client.patch(PhaseMigration, { namespace: site.namespace, name: MIGRATION }, { kind: 'Merge', body });
    },
    isTerminal: (site) => hasEnded(site, 2),
  },
  deleted: {
    title: 'a PhaseMigration that is deleted after the migration, before it is verified; calls from then on',
    script: (stage) => ({
      verificationPasses: true,
      beforeStep: async (step, run) => {
        if (step === 'Verify') await deleteAndWait(stage(), run);
      },
    }),
    play: create(),
    isTerminal: ({ seen }) => seen.migrations.size === 0 && seen.runs.size === 0,
  },
} satisfies Record<string, History>;
export type HistoryName = keyof typeof histories;

/** The runner's next step waits until the operator has seen the deletion: otherwise either could be first. */
async function deleteAndWait({ site, begin }: Stage, { metadata }: PhaseMigrationRun): Promise<void> {
  begin();
  await site.client.delete(PhaseMigration, { namespace: site.namespace, name: MIGRATION });
  while (site.seen.runs.get(metadata.name)?.spec.goal === 'Migrated') await site.changed();
}
