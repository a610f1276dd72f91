import type { Reason } from '../../api/reasons.ts';

/** A step came to a deterministic end: trying again without a change by people cannot help. */
export class StepFailure extends Error {
  override readonly name = 'StepFailure';
  readonly reason: Reason;
  readonly evidence: Record<string, string>;

  constructor(reason: Reason, message: string, evidence: Record<string, string> = {}) {
    super(message);
    this.reason = reason;
    this.evidence = evidence;
  }
}

/** A step was given up because another one failed: that one is what people must look at. */
export class NotReached extends Error {
  override readonly name = 'NotReached';
  readonly failure: StepFailure;

  constructor(message: string, failure: StepFailure) {
    super(message, { cause: failure });
    this.failure = failure;
  }
}

/** A way failed where another one may still be open: until that is known the step has not failed. */
export class Undecided extends Error {
  override readonly name = 'Undecided';
  readonly failure: StepFailure;

  constructor(failure: StepFailure) {
    super(failure.message, { cause: failure });
    this.failure = failure;
  }
}

/**
 * A session on the database ended under our hands. What it was doing may or may not have been carried out, so
 * everything is read anew from the server before anything goes on.
 */
export class ConnectionLost extends Error {
  override readonly name = 'ConnectionLost';
}

/** The database cannot be reached now; worth trying again. */
export class Unreachable extends Error {
  override readonly name = 'Unreachable';
}

/** A newer start of the runner works on this run: this one must end itself without touching anything. */
export class Superseded extends Error {
  override readonly name = 'Superseded';
}

/** The goal changed or the pod is asked to end while work was going on. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';
}
