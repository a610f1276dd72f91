import { setTimeout as delay } from 'node:timers/promises';
import { readArchive } from '../../operator/runner/postgres/archive.ts';
import { readRecord } from '../../operator/runner/steps/archive-record.ts';
import type { RunnerProcesses } from '../../operator/runner/testing/process.ts';
import { differences } from '../differences.ts';
import { inflict } from './acts.ts';
import { FIRST_ROW } from './application.ts';
import { endOf, readEndState, traces, type End, type EndState, type Reference } from './end-state.ts';
import { allowedAfter, failuresIn } from './ends.ts';
import { isSlow, nameOf, placeOf, type Fault } from './faults.ts';
import type { Ground } from './ground.ts';
import { histories, type History, type HistoryName } from './histories.ts';
import { inspectReport } from './promises.ts';
import { Scene } from './scene.ts';
import type { PassedStatement } from './wire.ts';

export interface AttemptOptions {
  history: HistoryName;
  fault?: Fault;
  processes: RunnerProcesses;
  /** Of the run without a fault, which has none itself. */
  reference?: Reference;
  /** A run must be at its end so long after the fault was over. */
  restMilliseconds?: number;
}

export interface Attempt {
  id: string;
  /** The fault did something. */
  fired: boolean;
  /** What broke a promise, one sentence each. */
  problems: string[];
  reference: Reference;
  statements: PassedStatement[];
  reports: number;
  /** From the end of the fault (without one: from the beginning) to that of the run. */
  settledAfter: number;
  /** How it ended, and whether a person had to decide on the way; absent: as nothing may. */
  end?: End | `${End}, after a decision`;
  /** What failed on the way, for a failure's report. */
  log: string[];
}

const WHOLE_RUN_MILLISECONDS = 120_000;
/** Waiting for a forgotten session and for a black hole is the longest that a fault takes. */
const FAULT_MILLISECONDS = 90_000;
const LOOK_MILLISECONDS = 200;

/** One history, with one thing that goes wrong or none, on a database and with runners of its own. */
export async function makeAttempt(ground: Ground, options: AttemptOptions): Promise<Attempt> {
  const { fault, processes } = options;
  // What mostly waits takes no time of the machine.
  const leave = fault && isSlow(fault) ? () => undefined : await ground.gate.enter();
  const lease = await ground.servers.take(fault ? placeOf(fault) : 'Shared');
  let scene: Scene | undefined;
  try {
    const history: History = histories[options.history];
    scene = await Scene.create(lease.server, {
      ...{ history, fault, processes, folder: ground.folder },
      inflict: (scene) => inflict(scene, fault),
      inspect: inspectReport,
    });
    const initial = await initialState(scene, options.reference);
    await scene.begin();
    const late = await played(scene, ground.signal, options.restMilliseconds ?? WHOLE_RUN_MILLISECONDS);
    if (scene.firedAt !== undefined) scene.overAt ??= Date.now();
    const settledAfter = Date.now() - (scene.overAt ?? scene.startedAt);
    await scene.settle();
    const { problems, end } = late.length > 0 ? { problems: late, end: initial } : await judge(scene, options, initial);
    const how = options.reference && endOf({ ...options.reference, initial }, end);
    const isDecided = scene.operator.decidedAbout.length > 0;
    return {
      ...describe(scene, options),
      ...{ problems: [...problems, ...scene.broken], settledAfter, reference: { initial, end } },
      ...(how ? { end: isDecided ? (`${how}, after a decision` as const) : how } : {}),
    };
  } finally {
    await scene?.remove().catch((error: Error) => ground.complain(`a run could not be removed: ${error.message}`));
    await lease.giveBack();
    leave();
  }
}

/** Of each history read once: it is the same for all of its runs, but for when the ledger begins. */
async function initialState({ server, scenario }: Scene, reference: Reference | undefined): Promise<EndState> {
  if (!reference) return readEndState(server, scenario);
  const ledgerBegins = await server.psql(
    'SELECT id, finished_at, checksum FROM phasemigration.ledger ORDER BY id LIMIT 1',
    scenario.database,
  );
  return { ...reference.initial, database: { ...reference.initial.database, ledgerBegins } };
}

/** Carries the run through. Returns what was wrong with the way there. */
async function played(scene: Scene, signal: AbortSignal, rest: number): Promise<string[]> {
  const giveUp = new AbortController();
  const playing = scene.operator.play(AbortSignal.any([signal, giveUp.signal])).then(
    () => 'Ended' as const,
    (error: Error) => error,
  );
  for (;;) {
    const end = await Promise.race([playing, delay(LOOK_MILLISECONDS, undefined)]);
    signal.throwIfAborted();
    if (end instanceof Error) return [end.message, ...whereItIs(scene)];
    const limit = limitOf(scene, rest);
    const since = Date.now() - limit.from;
    if (end === 'Ended') return since > limit.milliseconds ? [`it ended only ${seconds(since)} after the fault`] : [];
    if (since <= limit.milliseconds) continue;
    giveUp.abort(new Error('it took too long'));
    return [`it had not ended ${seconds(since)} after the fault`, ...whereItIs(scene)];
  }
}

/** From when on, and how long, a run may take. */
function limitOf({ firedAt, overAt, startedAt }: Scene, rest: number): { from: number; milliseconds: number } {
  if (overAt !== undefined) return { from: overAt, milliseconds: rest };
  if (firedAt !== undefined) return { from: firedAt, milliseconds: FAULT_MILLISECONDS + rest };
  return { from: startedAt, milliseconds: WHOLE_RUN_MILLISECONDS };
}

function whereItIs({ scenario, operator, wire }: Scene): string[] {
  const { runner, run } = scenario.memory;
  const steps = (runner.steps ?? []).map(({ name, state }) => `${name}=${state}`).join(' ');
  const ends = operator.starts.map(({ epoch, end }) => `${epoch}: ${end ?? 'there'}`).join(', ');
  const last = wire.passed.slice(-3).map(({ id }) => id);
  return [
    `it was at goal ${run.spec.goal}, reached ${runner.reachedGoal ?? 'none'}, ${steps}; waiting for ${runner.waitingFor ?? 'nothing'}; starts ${ends}; last statements ${last.join(', ')}`,
  ];
}

function describe({ firedAt, wire, scenario }: Scene, { history, fault }: AttemptOptions) {
  const { history: reports } = scenario.memory;
  return {
    id: fault ? `${history}/${nameOf(fault)}` : history,
    fired: firedAt !== undefined,
    statements: wire.passed,
    reports: reports.length,
    log: failuresIn(reports),
  };
}

/** Reads the end, and says what of it breaks a promise. */
async function judge(scene: Scene, { reference }: AttemptOptions, initial: EndState) {
  const ends = await otherEnds(scene);
  const end = await readEndState(scene.server, scene.scenario);
  const problems = [
    ...ends,
    ...(await lostRows(scene)),
    ...(await backupProblems(scene)),
    ...(end.database.ledgerBegins === initial.database.ledgerBegins ? [] : ['the first row of the ledger was changed']),
    ...(reference ? judgeEnd(scene, { ...reference, initial }, end) : []),
  ];
  return { problems, end };
}

/** A fault that did nothing leaves a run like that without one. */
function judgeEnd(scene: Scene, reference: Reference, found: EndState): string[] {
  const { fault, moment, history, operator, scenario } = scene;
  const untouched = { ends: ['Reference'], needsHuman: false, words: /^/ };
  const allowed = fault && moment ? allowedAfter(fault, moment, history) : untouched;
  const end = endOf(reference, found);
  const { decidedAbout } = operator;
  if (decidedAbout.length > 0 && !allowed.needsHuman)
    return [`a person had to decide about something that the fault does not excuse: ${decidedAbout.join(' — ')}`];
  if (end === undefined) return ['it ended as nothing may end:', ...nearest(reference, found)];
  if (!allowed.ends.includes(end))
    return [`it ended ${end}, and may only end ${allowed.ends.join(' or ')}`, ...nearest(reference, found)];
  const isLikeReference = end === 'Reference' && decidedAbout.length === 0;
  const isSaid = failuresIn(scenario.memory.history).some((failure) => allowed.words.test(failure));
  if (isLikeReference || isSaid || isReferenceUndone(reference)) return [];
  return [`it ended ${end}, and no failed step says why: ${failuresIn(scenario.memory.history).join(' — ')}`];
}

/** Where the run without a fault is undone, too, its own failure is what is said. */
function isReferenceUndone({ initial, end }: Reference): boolean {
  return traces(initial, { ...end, database: { ...end.database, ledgerBegins: '' } }).length === 0;
}

/** Whatever the end is most like, and where it differs. */
function nearest(reference: Reference, found: EndState): string[] {
  const fromEnd = differences(reference.end, found);
  const fromInitial = traces(reference.initial, found);
  return fromEnd.length <= fromInitial.length
    ? fromEnd.map((line) => `not as without a fault: ${line}`)
    : fromInitial.map((line) => `not as before: ${line}`);
}

const SUPERSEDED_MILLISECONDS = 60_000;

/** Earlier starts end by themselves, and only what was killed ends without a word. */
async function otherEnds({ operator, fault }: Scene): Promise<string[]> {
  const gone = Promise.all(operator.starts.map(({ process }) => process.ended));
  await Promise.race([gone, delay(SUPERSEDED_MILLISECONDS, undefined, { ref: false })]);
  const mayThrow = fault && ['cancel', 'disk-full', 'owner-session', 'superuser-session'].includes(fault.fault);
  return operator.starts.flatMap(({ epoch, end }) => {
    if (end === undefined) return [`start ${epoch} of the runner did not end`];
    if (['Finished', 'Superseded', 'killed'].includes(end) || mayThrow) return [];
    return [`start ${epoch} of the runner ended by itself: ${end}`];
  });
}

/** Every row that the application was told is there must be there, and none that it never sent. */
async function lostRows({ server, scenario, application }: Scene): Promise<string[]> {
  const answer = await server.psql(`SELECT id FROM public.item WHERE id >= ${FIRST_ROW}`, scenario.database);
  const found = new Set(answer.split('\n').filter(Boolean).map(Number));
  const lost = application.acknowledged.filter((row) => !found.has(row));
  const invented = [...found].filter((row) => row > application.last);
  return [
    ...(lost.length > 0 ? [`${lost.length} rows that were acknowledged are lost: ${lost.slice(0, 5).join(', ')}`] : []),
    ...(invented.length > 0 ? [`${invented.length} rows are there that nobody wrote`] : []),
  ];
}

/** The backup that the status speaks of is on the volume, whole. */
async function backupProblems({ scenario, fault }: Scene): Promise<string[]> {
  const { backup } = scenario.memory.runner;
  if (!backup) return [];
  try {
    const record = { ...(await readRecord(backup.archive)), path: backup.archive };
    if (record.sha256 !== backup.sha256) return [`the backup's record is that of another archive`];
    await readArchive(record, { major: 15, signal: new AbortController().signal });
    return [];
  } catch (error) {
    return [`the backup is not what the status says${fault ? '' : ' (without a fault)'}: ${(error as Error).message}`];
  }
}

function seconds(milliseconds: number): string {
  return `${Math.round(milliseconds / 1000)} s`;
}
