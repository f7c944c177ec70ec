import { AppError } from '../core/errors.js';
import type { Call, Outcome } from './command.js';
import { atomOf, EXIT, exitOf } from './exit-codes.js';
import { describeError } from './terminal.js';

/** The schema's own words are for programs: `failed to validate`. */
export const NO_IP = 'ip: neither an IPv4 nor an IPv6 address in its usual form';

/** Kazoo's line about a failure, and what more there is to say about it. */
export function fail(call: Call, line: string, reason: string, talk?: string): Outcome {
  call.terminal.print(`${line}: ${reason}`);
  if (talk !== undefined) call.terminal.say(talk);
  return { data: { error: reason }, exit: EXIT.failed };
}

/** Runs `work`; what it refuses becomes Kazoo's line with the reason as an Erlang atom. */
export async function orFail(
  call: Call,
  line: string,
  work: () => Promise<Outcome>,
): Promise<Outcome> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    const isKnown = error.code === 'not_found' || error.code === 'conflict';
    const outcome = fail(call, line, atomOf(error), isKnown ? undefined : describeError(error));
    return { ...outcome, exit: exitOf(error) };
  }
}
