import { config, expect } from 'chai';
import type { Phase } from '../../operator/api/phase-migration.ts';
import type { Reason } from '../../operator/api/reasons.ts';
import { problemsAtEnd } from './conformity.ts';
import type { ConformityWatch } from './conformity-watch.ts';
import { newFigures, oldFigures, readFigures, type Figures } from './figures.ts';
import { named, type Event, type Migration, type Run, type Workload } from './objects.ts';
import { applicationReady, BACKEND, newImage, oldImage, type Site } from './site.ts';
import { settled } from './leftovers.ts';
import { waitUntil } from './wait.ts';
import type { When } from './when.ts';

// A figure or a sentence that is cut off explains nothing.
config.truncateThreshold = 0;

const END_SECONDS = 120;
const ENDS: Phase[] = ['Succeeded', 'Failed', 'RolledBack', 'NeedsHuman'];

interface Before {
  /** Uids of the application's pods. */
  pods: string[];
  conformity: ConformityWatch;
}

/** What must be true afterwards. */
export class Then {
  readonly #site: Site;
  readonly #when: When;
  readonly #before: Before;

  constructor(site: Site, when: When, before: Before) {
    this.#site = site;
    this.#when = when;
    this.#before = before;
  }

  /**
   * The run ends in this phase for this reason; the condition's sentence is also in an event, and the status speaks of
   * the spec that is there.
   *
   * @param sentence what the message says
   */
  async ends(
    phase: Phase,
    reason: Reason,
    sentence: RegExp,
    options: { name?: string; within?: number } = {},
  ): Promise<Migration> {
    const { api, paths } = this.#site;
    const { name = this.#when.name, within = END_SECONDS } = options;
    const migration = await waitUntil(
      api,
      { path: paths.migrations, fieldSelector: named(name) },
      ([found]: Migration[]) => this.#end(found),
      {
        within,
        until: `PhaseMigration ${name} has ended as ${phase}`,
        last: ([last]) => JSON.stringify((last as Migration | undefined)?.status?.conditions),
      },
    );
    this.#when.endedRun = migration.status?.runName;
    const ready = readyOf(migration);
    expect(`${migration.status?.phase}, ${ready.reason}: ${ready.message}`).to.match(
      new RegExp(`^${phase}, ${reason}: .*${sentence.source}`, `${sentence.flags}s`),
    );
    expect(ready.status).to.equal(
      phase === 'Succeeded' || (phase === 'RolledBack' && reason !== 'RolledBack') ? 'True' : 'False',
    );
    await this.event(reason, ready.message, migration);
    this.#conformsSoFar();
    return migration;
  }

  #end(found: Migration | undefined): Migration | undefined {
    const { phase, runName, observedGeneration, conditions = [] } = found?.status ?? {};
    if (!found || !phase || !ENDS.includes(phase)) return undefined;
    const isOld = runName !== undefined && runName === this.#when.endedRun;
    const isBehind = observedGeneration !== found.metadata.generation;
    return isOld || isBehind || conditions.some(({ type }) => type === 'Reconciling') ? undefined : found;
  }

  /** An event about the PhaseMigration was written with this sentence (cut, as events are) or one like it. */
  async event(reason: string, sentence: string | RegExp, about?: Migration): Promise<Event> {
    const { api, paths } = this.#site;
    const migration = about ?? (await api.get<Migration>(this.#when.path));
    const isMeant = ({ regarding, reason: found, note = '' }: Event) =>
      regarding?.uid === migration?.metadata.uid &&
      found === reason &&
      (typeof sentence === 'string' ? sentence.startsWith(note.replace(/…$/, '')) : sentence.test(note));
    return waitUntil(api, { path: paths.events }, (events: Event[]) => events.find(isMeant), {
      within: 15,
      until: `there is an event ${reason} with "${String(sentence)}"`,
      last: (events) =>
        JSON.stringify(
          (events as Event[])
            .filter(({ regarding }) => regarding?.uid === migration?.metadata.uid)
            .map(({ reason: other, note }) => [other, note]),
        ),
    });
  }

  /** No event of this reason was written about the PhaseMigration. */
  async noEvent(reason: string): Promise<void> {
    const { api, paths } = this.#site;
    const migration = await api.get<Migration>(this.#when.path);
    const events = await api.list<Event>({ path: paths.events });
    const found = events.filter((event) => event.regarding?.uid === migration?.metadata.uid && event.reason === reason);
    expect(found.map(({ note }) => note)).to.deep.equal([]);
  }

  /** The application runs with all its replicas: the new version on the new schema with every figure. */
  async isMigrated(figures: Partial<Figures> = {}): Promise<void> {
    await this.#is(newImage, { ...newFigures, ...figures });
  }

  /** The same for the old version on the old schema. */
  async isAsBefore(figures: Partial<Figures> = {}): Promise<void> {
    await this.#is(oldImage, { ...oldFigures, ...figures });
  }

  async #is(image: string, figures: Figures): Promise<void> {
    await applicationReady(this.#site, image);
    expect(await readFigures(this.#site.psql.ask)).to.deep.equal(figures);
  }

  /** Nobody noticed anything: the very same pods, the old image and replicas, and the data of before. */
  async isUntouched(figures: Partial<Figures> | null = {}): Promise<void> {
    expect(await applicationReady(this.#site, oldImage, 10)).to.deep.equal(this.#before.pods);
    if (figures) expect(await readFigures(this.#site.psql.ask)).to.deep.equal({ ...oldFigures, ...figures });
    expect((await this.deployment()).spec.replicas).to.equal(this.#site.replicas);
  }

  /** The PhaseMigration and its runs are gone. */
  async isGone(): Promise<void> {
    const { api, paths } = this.#site;
    for (const path of [paths.migrations, paths.runs])
      await waitUntil(api, { path }, (objects) => objects.length === 0 || undefined, {
        within: END_SECONDS,
        until: `nothing is left at ${path}`,
        last: (objects) =>
          JSON.stringify((objects as Migration[]).map(({ status }) => status?.conditions?.[0]?.message)),
      });
  }

  /** Every run has cleaned up after itself. */
  isSettled(): Promise<void> {
    return settled(this.#site);
  }

  /** No client gets into the database. */
  async fenceIsUp(): Promise<void> {
    const question = "SELECT rolcanlogin FROM pg_catalog.pg_roles WHERE rolname = 'planner_app'";
    expect(await this.#site.psql.ask(question, 'postgres'), 'planner_app may log in').to.equal('f');
  }

  /** What the database was before is still there. */
  async restorePointIsKept(): Promise<void> {
    const question = "SELECT count(*) FROM pg_catalog.pg_database WHERE datname LIKE 'planner\\_restore\\_%'";
    expect(await this.#site.psql.ask(question, 'postgres'), 'restore points').to.equal('1');
  }

  async deployment(name = BACKEND): Promise<Workload> {
    return (await this.#site.api.get<Workload>(`${this.#site.paths.deployments}/${name}`))!;
  }

  #conformsSoFar(): void {
    const problems = this.#before.conformity.problems();
    if (problems.length > 0)
      throw new Error(`Statuses contradict the Kubernetes API conventions:\n${problems.join('\n')}`);
  }

  /** Phases that the PhaseMigration was seen in, in order. */
  phases(name = this.#when.name): string[] {
    return this.#before.conformity.phases(name);
  }

  /** Up to here every status that was seen conforms to kstatus; the end of each scenario asks the same. */
  async conforms(): Promise<void> {
    const { api, paths } = this.#site;
    // A run's last goal is written a moment before the status that speaks of it.
    for (const path of [paths.migrations, paths.runs])
      await waitUntil(
        api,
        { path },
        (objects: (Migration | Run)[]) => objects.flatMap(problemsAtEnd).length === 0 || undefined,
        {
          within: 15,
          until: `every status at ${path} speaks of the spec that is there`,
          last: (objects) => (objects as (Migration | Run)[]).flatMap(problemsAtEnd).join('; '),
        },
      );
    this.#conformsSoFar();
  }
}

export function readyOf({ status }: Migration) {
  const ready = status?.conditions?.find(({ type }) => type === 'Ready');
  if (!ready) throw new Error('The PhaseMigration has no condition Ready.');
  return ready;
}
