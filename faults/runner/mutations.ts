import type { Patch } from '../program.ts';

/** A bug that is planted in a copy of the runner, and faulted runs of which at least one must show it. */
export interface Mutation {
  name: string;
  patches: Patch[];
  /** Which cases may show it, by their ids. */
  shownBy: RegExp;
}

const REPORTER = 'operator/runner/reporter.ts';
const RUN = 'operator/runner/run.ts';
const KUBE_PORT = 'operator/runner/kube-port.ts';

/** Bugs on the way between the runner and the API server. */
export const mutations: Mutation[] = [
  {
    name: 'a report that was refused is not sent again',
    patches: [
      {
        file: REPORTER,
        find: "this.#logger.warn('The status could not be reported; trying again.', { error: messageOf(error), failures });",
        replace: 'this.#acknowledge(version);',
      },
    ],
    shownBy: /^success\/patch-run-status\.\d+:(500|reset)$/,
  },
  {
    name: 'a run that cannot be taken over at once is given up',
    patches: [{ file: RUN, find: 'error instanceof NotUnderstood || signal.aborted) throw', replace: 'true) throw' }],
    shownBy: /^success\/patch-run-status\.1:(500|409)$/,
  },
  {
    name: 'an earlier start’s status is not taken over',
    patches: [
      { file: RUN, find: 'const status = takeOver(run.status?.runner,', replace: 'const status = takeOver(undefined,' },
    ],
    shownBy: /^down\/patch-run-status\.\d+:kill-after$/,
  },
  {
    name: 'a conflict is taken for a newer start',
    patches: [
      {
        file: KUBE_PORT,
        find: 'if (isInvalid(error) || isConflict(error)) await this.#lookAtReports();',
        replace: "if (isInvalid(error) || isConflict(error)) throw new Superseded('a conflict');",
      },
    ],
    shownBy: /^success\/patch-run-status\.[2-9]:409$/,
  },
];
