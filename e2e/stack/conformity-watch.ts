import { problemsOf } from './conformity.ts';
import type { Migration, Run } from './objects.ts';
import type { Site } from './site.ts';

/** Looks at every state of every PhaseMigration and run of a namespace, as the API server tells of it. */
export interface ConformityWatch {
  /** What contradicted the conventions so far, each once. */
  problems(): string[];
  /** How many states have been looked at. */
  seen(): number;
  /** Phases of a PhaseMigration or run in the order in which they were seen, without repetitions. */
  phases(name: string): string[];
  stop(): Promise<void>;
}

export function watchConformity({ api, paths }: Site): ConformityWatch {
  const ending = new AbortController();
  const last = new Map<string, Migration | Run>();
  const phases = new Map<string, string[]>();
  const problems = new Set<string>();
  let seen = 0;
  const look = (object: Migration | Run) => {
    const { uid = '', name, resourceVersion } = object.metadata;
    const before = last.get(uid);
    if (before?.metadata.resourceVersion === resourceVersion) return;
    last.set(uid, object);
    seen++;
    for (const problem of problemsOf(object, before)) problems.add(`${object.kind ?? 'object'} ${name}: ${problem}`);
    const { phase } = object.status ?? {};
    const passed = phases.get(name) ?? [];
    if (phase && passed.at(-1) !== phase) phases.set(name, [...passed, phase]);
  };
  const watching = [paths.migrations, paths.runs].map((path) =>
    api
      .watch<Migration | Run>({ path }, (objects) => objects.forEach(look), ending.signal)
      .catch((error: unknown) => void problems.add(`the watch of ${path} failed: ${String(error)}`)),
  );
  return {
    problems: () => [...problems],
    seen: () => seen,
    phases: (name) => phases.get(name) ?? [],
    stop: async () => {
      ending.abort();
      await Promise.all(watching);
    },
  };
}
