import { FINALIZER } from '../../../api/names.ts';
import type { PhaseMigrationRunStatus } from '../../../api/phase-migration-run.ts';
import { phaseMigrationSpec } from '../../../api/phase-migration.ts';
import type { PhaseMigration, PhaseMigrationRun } from '../../../api/resources.ts';
import { decideMigration, type MigrationDecision } from '../migration.ts';

export const START = Date.parse('2026-01-31T22:00:00Z');

/** A PhaseMigration and its runs, and an operator that carries its decisions out. */
export class Scene {
  private created = 0;
  now = START;
  runs: PhaseMigrationRun[] = [];
  readonly migration: PhaseMigration = {
    apiVersion: 'phasemigration.io/v1alpha1',
    kind: 'PhaseMigration',
    metadata: { name: 'phases', namespace: 'ns', uid: 'u', generation: 1 },
    spec: phaseMigrationSpec.parse({
      database: { urlSecretRef: { name: 'db' } },
      migrations: { image: 'm:2', from: 'a', to: 'b' },
      workloads: [{ kind: 'Deployment', name: 'backend', images: { backend: 'backend:2' } }],
      backup: { claimName: 'backups' },
    }),
  };

  /** Decides and carries out until nothing changes. */
  reconcile(): MigrationDecision {
    for (let pass = 0; pass < 10; pass++) {
      const before = JSON.stringify([this.migration, this.runs]);
      const decision = decideMigration(structuredClone({ now: this.now, migration: this.migration, runs: this.runs }));
      if (decision.finalizer) this.migration.metadata.finalizers = decision.finalizer === 'Add' ? [FINALIZER] : [];
      if (decision.status) this.migration.status = decision.status;
      if (decision.createRun) this.create(decision.createRun);
      if (JSON.stringify([this.migration, this.runs]) === before) return decision;
    }
    throw new Error('decisions never come to rest');
  }

  private create(run: PhaseMigrationRun): void {
    this.created += 1;
    this.runs.push({ ...structuredClone(run), metadata: { ...run.metadata, uid: `run-${this.created}` } });
  }

  /** The latest run ends and has cleaned up. */
  end(status: PhaseMigrationRunStatus): void {
    const run = this.runs.at(-1) as PhaseMigrationRun;
    const workloads = [
      {
        kind: 'Deployment' as const,
        name: 'backend',
        uid: 'd',
        replicas: 3,
        selector: 'x',
        images: { backend: 'backend:1' },
      },
    ];
    run.status = { workloads, ...status };
    run.metadata.finalizers = [];
  }

  /** What a decision about the latest run says before its action. */
  decision(number: number) {
    const { name: runName = '', uid: runUID = '' } = this.runs.at(-1)?.metadata ?? {};
    return { runName, runUID, number };
  }

  ready() {
    return this.migration.status?.conditions?.find(({ type }) => type === 'Ready');
  }
}
