import { setImmediate as turn, setTimeout as delay } from 'node:timers/promises';
import { fillDisk } from '../../e2e/cluster/small-disk.ts';
import {
  BLACK_HOLE_MILLISECONDS,
  FORGOTTEN_MILLISECONDS,
  HOLE_MILLISECONDS,
  type IndexFault,
  type StatementFault,
} from './faults.ts';
import { forgetSession } from './forgotten.ts';
import { invalidIndex } from './index-acts.ts';
import type { Scene } from './scene.ts';
import type { AnswerFate, Statement, Treatment } from './wire.ts';

type Act = (scene: Scene, statement: Statement) => Treatment | Promise<Treatment>;

/** The fault comes when the answer is there, which is then lost. */
const afterwards =
  (act: (scene: Scene) => void | Promise<void>): Act =>
  (scene) => ({
    whenAnswered: async (): Promise<AnswerFate> => {
      await scene.guarded(() => act(scene));
      return 'Cut';
    },
  });

const beforehand =
  (act: (scene: Scene) => void | Promise<void>): Act =>
  async (scene) => {
    await act(scene);
    return { isCut: true };
  };

function kill(scene: Scene): void {
  scene.fireOnce();
  scene.operator.current?.process.signal('SIGKILL');
}

const swallow =
  (milliseconds: number): Act =>
  (scene) => {
    scene.fire();
    void scene.wire.swallow(milliseconds).then(() => scene.over());
    return {};
  };

/** Kills every process of the server and starts it again. Resolves when they are gone. */
export async function crash(scene: Scene): Promise<void> {
  scene.fire();
  await scene.server.crash();
  void scene.guarded(async () => {
    await scene.server.restart();
    scene.over();
  });
}

const OF_THE_SUCCESSOR = 25;

/** Stops the runner in the middle of it and lets the next one begin. */
const freeze =
  (wakesUp: 'While' | 'After'): Act =>
  (scene) => {
    const { operator, wire, scenario } = scene;
    const older = operator.current!.process;
    older.signal('SIGSTOP');
    const succeed = () => {
      scene.fire();
      operator.startNext();
      if (wakesUp === 'After') return scene.over();
      void wire.untilPassed(scenario.epoch, OF_THE_SUCCESSOR).then(() => {
        older.signal('SIGCONT');
        scene.over();
      });
    };
    return { whenPassed: succeed };
  };

const partition: Act = (scene) => {
  const { operator } = scene;
  scene.fireOnce();
  scene.cutOff(operator.current!.epoch);
  operator.startNext();
  return {};
};

/**
 * As pg_cancel_backend() does it, from the moment at which the server has the statement until it has answered: one that
 * came before it began would be for nobody.
 */
const cancel: Act = (scene, { connection }) => {
  let isAnswered = false;
  return {
    whenPassed: () =>
      void scene.guarded(async () => {
        while (!isAnswered && interrupt(connection.pid)) await turn();
      }),
    whenAnswered: (answer) => {
      isAnswered = true;
      const QUERY_CANCELED = 'C57014\0';
      if (answer.includes(QUERY_CANCELED)) scene.fireOnce();
      return 'Pass';
    },
  };
};

/** @returns whether there is such a process */
export function interrupt(pid: number | undefined): boolean {
  if (pid === undefined) return false;
  try {
    process.kill(pid, 'SIGINT');
    return true;
  } catch {
    return false;
  }
}

const fill =
  (folderOf: (scene: Scene) => string, emptied: (scene: Scene) => Promise<void>): Act =>
  async (scene) => {
    const empty = await fillDisk(folderOf(scene));
    scene.fire();
    let isFull = true;
    const makeRoom = async () => {
      if (!isFull) return;
      isFull = false;
      await empty();
      await emptied(scene);
      scene.over();
    };
    scene.mends.push(makeRoom);
    void delay(FORGOTTEN_MILLISECONDS, undefined, { ref: false }).then(() => scene.guarded(makeRoom));
    return {};
  };

/** A server that could write no WAL any more has ended; somebody starts it again when there is room. */
async function startAgain({ server }: Scene): Promise<void> {
  const answers = () =>
    server.psql('SELECT 1').then(
      () => true,
      () => false,
    );
  if (await answers()) return;
  // It may be recovering.
  await delay(3000);
  if (!(await answers())) await server.restart();
}

const forgotten =
  (who: 'Client' | 'Owner' | 'Superuser'): Act =>
  async (scene) => {
    await forgetSession(scene, who);
    return {};
  };

export const statementActs: Record<StatementFault | IndexFault, Act> = {
  'cut-before': beforehand((scene) => scene.fireOnce()),
  'answer-lost': afterwards((scene) => scene.fireOnce()),
  hole: swallow(HOLE_MILLISECONDS),
  'black-hole': swallow(BLACK_HOLE_MILLISECONDS),
  cancel,
  'kill-before': beforehand(kill),
  'kill-after': afterwards(kill),
  'crash-before': beforehand(crash),
  'crash-after': afterwards(crash),
  freeze: freeze('While'),
  'freeze-to-end': freeze('After'),
  partition,
  'client-session': forgotten('Client'),
  'owner-session': forgotten('Owner'),
  'superuser-session': forgotten('Superuser'),
  'volume-full': fill(
    ({ scenario }) => scenario.folders.backup,
    () => Promise.resolve(),
  ),
  'disk-full': fill(({ server }) => server.folder, startAgain),
  'invalid-by-cut': invalidIndex(({ connection }) => connection.cut()),
  'invalid-by-cancel': invalidIndex(({ connection }) => void interrupt(connection.pid)),
  'invalid-by-kill': invalidIndex((_statement, scene) => scene.operator.current?.process.signal('SIGKILL')),
};
