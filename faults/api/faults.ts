/**
 * What can go wrong with one mutating call. `late`, `after-end`: its connection is reset at once, and the API server gets
 * it some seconds later, or when the run is at its end. `freeze`, `freeze-to-end`: SIGSTOP for the operator, which wakes up
 * while another replica works, or when the run is at its end. `upgrade`, `downgrade`: after it the operator is killed, and the one that is
 * started is a build of a newer or of an older version; that older one is replaced again when it has nothing to do.
 */
export const CALL_FAULTS = [
  'kill-before',
  'kill-after',
  '409',
  '429',
  '500',
  '504',
  'reset',
  'lost-answer',
  'black-hole',
  'late',
  'after-end',
  'freeze',
  'freeze-to-end',
  'upgrade',
  'downgrade',
] as const;
export type CallFault = (typeof CALL_FAULTS)[number];

/**
 * What can go wrong with the watches of a resource.
 * - `hide`: an event is held until the next one of the same object comes, and is then dropped; without a next one it
 *   comes five seconds late
 * - `repeat`: each event comes twice, and the one before comes once more after it
 * - `stale-list`: a list that may be answered from memory is answered as it was two seconds ago; after a restart of the
 *   operator (it is killed) the lists that watches begin from are those of its first start
 * - `gone`: the watch ends with 410 Expired after two events, three times
 * - `silent`: after two events nothing comes any more, and nobody says so, until the operator gives the watch up
 */
export const WATCH_FAULTS = ['hide', 'repeat', 'stale-list', 'gone', 'silent'] as const;
export type WatchFault = (typeof WATCH_FAULTS)[number];

export const WATCHED = ['phasemigrations', 'phasemigrationruns', 'jobs', 'pods', 'deployments'] as const;
export type Watched = (typeof WATCHED)[number];

/** One thing that goes wrong in one run. */
export type Fault =
  { at: 'Call'; call: string; fault: CallFault } | { at: 'Watch'; resource: Watched; fault: WatchFault };

/** `patch-run-status.3:kill-after`, `watch.pods:hide`. */
export function nameOf(fault: Fault): string {
  return fault.at === 'Call' ? `${fault.call}:${fault.fault}` : `watch.${fault.resource}:${fault.fault}`;
}

/** How long a black hole lasts. */
export const BLACK_HOLE_MILLISECONDS = 30_000;
/** How long a late call lies somewhere on its way. */
export const LATE_MILLISECONDS = 3000;
/** How long an event may be hidden if none of the same object follows. */
export const HIDE_MILLISECONDS = 5000;
