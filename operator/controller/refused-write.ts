import type { PhaseMigration, PhaseMigrationRun } from '../api/resources.ts';
import { isForbidden, isInvalid } from '../kube/client.ts';
import type { EventRecorder } from '../kube/events.ts';
import { messageOf } from '../kube/message-of.ts';

/**
 * A write that the API server refuses for good (a quota, a policy, a webhook) is told as an event, not only logged. What
 * passes by itself (a timeout, an error of the server) is not: it is only tried again.
 */
export function tellRefusedWrite(
  events: Pick<EventRecorder, 'record'>,
  regarding: PhaseMigration | PhaseMigrationRun,
  action: string,
  error: unknown,
): void {
  if (!isForbidden(error) && !isInvalid(error)) return;
  events.record({ regarding, type: 'Warning', reason: 'WriteRefused', action, note: messageOf(error) });
}
