import type { Api, Selection, Thing } from './api.ts';

export interface WaitOptions {
  /** Deadline in seconds. */
  within: number;
  /** What is waited for, as the end of "waited in vain until …". */
  until: string;
  /** Told on time-out: the last thing seen, in a line or two. */
  last?: (objects: Thing[]) => string;
}

/** The deadline has passed; `message` says what was waited for and what was seen instead. */
export class WaitedInVain extends Error {
  override name = 'WaitedInVain';
}

/**
 * Resolves as soon as `found` gives something for the state of the objects, told by a watch.
 *
 * @throws WaitedInVain after the deadline, or the error that `found` throws when it sees that it can never come true
 */
export async function waitUntil<T extends Thing, Found>(
  api: Api,
  selection: Selection,
  found: (objects: T[]) => Found | undefined,
  options: WaitOptions,
): Promise<Found> {
  const ending = new AbortController();
  const deadline = AbortSignal.timeout(options.within * 1000);
  const signal = AbortSignal.any([ending.signal, deadline]);
  let result: Found | undefined;
  let failure: unknown;
  let state: T[] = [];
  await api.watch<T>(
    selection,
    (objects) => {
      if (ending.signal.aborted) return;
      state = objects;
      try {
        result = found(objects);
      } catch (error) {
        failure = error;
      }
      if (result !== undefined || failure !== undefined) ending.abort();
    },
    signal,
  );
  if (failure instanceof Error) throw failure;
  if (result !== undefined) return result;
  const last = options.last?.(state) ?? `${state.length} objects at ${selection.path}`;
  throw new WaitedInVain(`Waited ${options.within} s in vain until ${options.until}. Last seen: ${last}`);
}
