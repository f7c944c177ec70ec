import type { Response } from 'express';

/** What came of a request whose protocol says so in the body, while HTTP's status says 200. */
export interface Outcome {
  /** What another protocol would have as its status. */
  readonly status: number;
  /** The protocol's own code. */
  readonly errorCode: number;
}

const KEY = 'outcome';

/** Notes the outcome of a request, for the log and the metrics. */
export function noteOutcome(response: Response, outcome: Outcome): void {
  response.locals[KEY] = outcome;
}

/** The outcome that was noted; undefined where HTTP's status says it all. */
export function outcomeOf(response: Response): Outcome | undefined {
  return response.locals[KEY] as Outcome | undefined;
}
