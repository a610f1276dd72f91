import type { Reason } from '../../operator/api/reasons.ts';
import type { ResolutionAction } from '../../operator/api/resolution.ts';
import type { StepName } from '../../operator/api/step-names.ts';
import { allSteps } from './steps.ts';
import { killLeader, killPod, killRunner } from './kill.ts';
import { plannerManifest, type Manifest, type ManifestChanges } from './manifest.ts';
import { named, type Migration, type Pod, type Run } from './objects.ts';
import type { OperatorPlace } from './operator.ts';
import type { Site } from './site.ts';
import { waitUntil } from './wait.ts';

const STEP_SECONDS = 90;

/** What people, and fate, do. */
export class When {
  readonly #site: Site;
  readonly #operator: OperatorPlace;
  /** The PhaseMigration that `then` speaks of. */
  name = 'phases-to-user-definable';
  /** Something was accepted by the API server. */
  hasApplied = false;
  /** Its run that `then` has seen the end of. */
  endedRun: string | undefined;

  constructor(site: Site, operator: OperatorPlace) {
    this.#site = site;
    this.#operator = operator;
  }

  /** Somebody applies the planner's manifest with changes. @returns what kubectl says */
  async applied(changes: ManifestChanges = {}): Promise<string> {
    const manifest = await plannerManifest(changes);
    this.name = manifest.metadata.name;
    this.hasApplied = true;
    return (await this.#apply(manifest)).stdout;
  }

  /** Somebody applies a manifest that the API server, or kubectl, refuses. @returns the refusal */
  async refused(manifest: Manifest): Promise<string> {
    const { code, stderr, stdout } = await this.#apply(manifest, true);
    if (code === 0) throw new Error(`The manifest was not refused: ${stdout}`);
    return stderr;
  }

  #apply(manifest: Manifest, allowFailure = false) {
    const { cluster, namespace } = this.#site;
    const command = ['kubectl', 'apply', '-n', namespace, '-f', '-'];
    return cluster.exec(command, { input: JSON.stringify(manifest), allowFailure });
  }

  get path(): string {
    return `${this.#site.paths.migrations}/${this.name}`;
  }

  /** Somebody changes the spec as `kubectl patch --type=merge` does. */
  async patched(spec: object): Promise<void> {
    await this.#site.api.patch(this.path, { spec });
  }

  /** A person decides about a run that needs one, with the very command that its message gives. */
  async decided(action: ResolutionAction): Promise<void> {
    const { api, cluster } = this.#site;
    const migration = await api.get<Migration>(this.path);
    const message = migration?.status?.conditions?.find(({ type }) => type === 'Ready')?.message ?? '';
    const commands = [...message.matchAll(/kubectl (-n \S+ patch pm \S+ --type=merge) -p '([^']*)'/g)];
    const [, args, patch] = commands.find(([text]) => text.includes(`"action":"${action}"`)) ?? [];
    if (!args || !patch) throw new Error(`The message gives no command for ${action}: ${message}`);
    this.endedRun = undefined;
    await cluster.exec(['kubectl', ...args.split(' '), '-p', patch]);
  }

  async retried(): Promise<void> {
    const annotations = { 'phasemigration.io/retry-requested-at': new Date().toISOString() };
    await this.#site.api.patch(this.path, { metadata: { annotations } });
  }

  /** @param propagationPolicy `Foreground`: as Argo CD prunes */
  async deleted(propagationPolicy: 'Background' | 'Foreground' = 'Background'): Promise<void> {
    const path = `${this.path}?propagationPolicy=${propagationPolicy}`;
    const { status, text } = await this.#site.api.request('DELETE', path);
    if (status !== 200) throw new Error(`The PhaseMigration could not be deleted: ${text}`);
    // One that is made again under the same name has runs of the same names.
    this.endedRun = undefined;
  }

  /** The moment at which a step of the run that goes on is in this state. @returns the run as it is then */
  step(step: StepName, states: string[] = ['Running']): Promise<Run> {
    const { api, paths } = this.#site;
    return this.#migrationRun(
      (run) => {
        const found = allSteps(run).find(({ name }) => name === step);
        if (found && states.includes(found.state)) return run;
        if (run.status?.outcome)
          throw new Error(
            `The run ended as ${run.status.outcome} without step ${step} being seen ${states.join(' or ')}: ${run.status.failure?.message ?? ''}`,
          );
        return undefined;
      },
      `step ${step} of ${this.name} is ${states.join(' or ')} (${api ? paths.runs : ''})`,
    );
  }

  /** The moment at which something is true of the run that goes on. */
  run(found: (run: Run) => boolean | undefined, until: string): Promise<Run> {
    return this.#migrationRun((run) => (found(run) ? run : undefined), until);
  }

  #migrationRun(found: (run: Run) => Run | undefined, until: string): Promise<Run> {
    const { api, paths } = this.#site;
    return waitUntil(
      api,
      { path: paths.runs, labelSelector: `phasemigration.io/migration=${this.name}` },
      (runs: Run[]) => {
        const latest = runs.toSorted((one, other) => one.spec.attempt - other.spec.attempt).at(-1);
        return latest && latest.metadata.name !== this.endedRun ? found(latest) : undefined;
      },
      {
        within: STEP_SECONDS,
        until,
        last: (runs) => JSON.stringify((runs as Run[]).map((run) => run.status?.conditions?.[0])),
      },
    );
  }

  /** The moment at which something is true of the PhaseMigration. */
  migration(found: (migration: Migration) => boolean | undefined, until: string): Promise<Migration> {
    const { api, paths } = this.#site;
    return waitUntil(
      api,
      { path: paths.migrations, fieldSelector: named(this.name) },
      ([migration]: Migration[]) => (migration && found(migration) ? migration : undefined),
      {
        within: STEP_SECONDS,
        until,
        last: ([last]) => JSON.stringify((last as Migration | undefined)?.status?.conditions),
      },
    );
  }

  /** The moment at which the condition Ready says this. */
  reason(reason: Reason, sentence: RegExp): Promise<Migration> {
    const isMeant = ({ status }: Migration) =>
      status?.conditions?.some(
        (condition) => condition.type === 'Ready' && condition.reason === reason && sentence.test(condition.message),
      );
    return this.migration(isMeant, `${this.name} is ${reason} with ${String(sentence)}`);
  }

  /** SIGKILL for the operator's leader. @returns the pod's name */
  operatorIsKilled(): Promise<string> {
    return killLeader(this.#site.api, this.#operator.namespace);
  }

  /** SIGKILL for the runner. @returns the pod's name */
  runnerIsKilled(): Promise<string> {
    return killRunner(this.#site.api, this.#site.namespace);
  }

  /** SIGKILL for PostgreSQL; its StatefulSet makes another pod on the same volume. */
  async databaseIsKilled(): Promise<void> {
    const { api, paths } = this.#site;
    const pod = await api.get<Pod>(`${paths.pods}/planner-postgres-0`);
    await killPod(api, paths.pods, pod!);
  }

  /** The moment at which a pod is gone. */
  async podIsGone(name: string): Promise<void> {
    const { api, paths } = this.#site;
    const selection = { path: paths.pods, fieldSelector: named(name) };
    await waitUntil(api, selection, (pods) => pods.length === 0 || undefined, { within: 60, until: `${name} is gone` });
  }

  /** Somebody scales a workload. */
  async scaled(name: string, replicas: number, kind: 'deployments' | 'statefulSets' = 'deployments'): Promise<void> {
    await this.#site.api.patch(`${this.#site.paths[kind]}/${name}/scale`, { spec: { replicas } });
  }
}
