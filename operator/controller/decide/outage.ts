import type { Draft } from './draft.ts';
import { isoTime, moment } from './time.ts';
import { answers, observed } from './workloads.ts';

/** The outage is over for clients when every workload has a pod that answers. */
export function recordEndOfOutage(draft: Draft): void {
  const { outage, workloads = [] } = draft.recorded;
  const start = moment(outage?.lastStartTime ?? outage?.startTime);
  if (start === undefined || outage?.endTime !== undefined) return;
  const back = workloads.every((recorded) => {
    const workload = observed(draft, recorded);
    return !workload?.found || answers(workload, recorded);
  });
  if (!back) return;
  const milliseconds = (outage?.earlierMilliseconds ?? 0) + Math.max(0, draft.seen.now - start);
  draft.record({ outage: { ...outage, endTime: isoTime(draft.seen.now), milliseconds } });
}

/** What answered already is taken down again: until it is back nobody is told that the outage is over. */
export function resumeOutage(draft: Draft): void {
  const { startTime, endTime, milliseconds } = draft.recorded.outage ?? {};
  if (endTime === undefined) return;
  const lastStartTime = isoTime(draft.seen.now);
  draft.record({ outage: { startTime, lastStartTime, earlierMilliseconds: milliseconds } });
}
