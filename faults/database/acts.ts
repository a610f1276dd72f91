import { damageArchive } from './archive-acts.ts';
import { LATENCY_MILLISECONDS, type Fault, type ReportFault } from './faults.ts';
import { holdLock } from './forgotten.ts';
import type { Inflicted, Scene } from './scene.ts';
import { crash, statementActs } from './statement-acts.ts';

/** What one fault does to a run. */
export function inflict(scene: Scene, fault: Fault | undefined): Inflicted {
  if (!fault) return {};
  switch (fault.at) {
    case 'Statement':
      return {
        onStatement: (statement) =>
          statement.id === fault.statement ? statementActs[fault.fault](scene, statement) : undefined,
      };
    case 'Report':
      return atReport(scene, fault.report, fault.fault);
    case 'Archive':
      return { beforeGoal: async (goal) => (goal === fault.goal ? damageArchive(scene, fault) : undefined) };
    case 'Begin':
      return { begin: () => (fault.fault === 'latency' ? slowDown(scene) : holdLock(scene)) };
  }
}

/** Until the end. */
function slowDown(scene: Scene): void {
  scene.wire.latencyMilliseconds = LATENCY_MILLISECONDS;
  scene.fire();
}

function atReport(scene: Scene, wanted: number, fault: ReportFault): Inflicted {
  const kill = () => {
    scene.fireOnce();
    scene.operator.current?.process.signal('SIGKILL');
  };
  return {
    onReport: async (report) => {
      if (report !== wanted || fault === 'kill-after') return undefined;
      if (fault === 'crash') {
        await crash(scene);
        return undefined;
      }
      kill();
      return 'Lost';
    },
    afterReport: (report) => {
      if (report === wanted && fault === 'kill-after') kill();
      return Promise.resolve();
    },
  };
}
