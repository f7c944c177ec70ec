import type { Issue } from '../../core/errors.js';

/** `in`: a number comes to a line of ours; `out`: it leaves for another operator. */
export type PortDirection = 'in' | 'out';

/** Where a port stands. `timestamp` in Gregorian seconds. */
export interface PortStatus {
  readonly code: string;
  readonly extended?: string | undefined;
  readonly source: string;
  readonly timestamp: number;
  /** Present when people set it and not the carrier. */
  readonly forced_update?: true | undefined;
}

/** What somebody says a port's status is. */
export interface StatusClaim {
  readonly code: string;
  readonly extended?: string | undefined;
  readonly source: string;
}

interface CodeRule {
  /** Who brings the status about. */
  readonly source: 'carrier' | 'top';
  /** What may stand beside the code: one of these words, any reason, or nothing. */
  readonly extended: readonly string[] | 'reason' | 'none';
  /** Of two statuses of the same second the higher one counts. */
  readonly rank: number;
}

type Rules = Readonly<Record<string, CodeRule>>;

const ofCarrier = (rank: number): CodeRule => ({ source: 'carrier', extended: 'none', rank });

/** The statuses of 2600Hz's page on ports. */
const RULES: Readonly<Record<PortDirection, Rules>> = {
  in: {
    submitted: {
      source: 'top',
      extended: ['request_sent', 'update_sent', 'cancel_sent'],
      rank: 0,
    },
    pending: ofCarrier(1),
    rejected: { source: 'carrier', extended: 'reason', rank: 2 },
    scheduled: ofCarrier(3),
    canceled: ofCarrier(4),
    completed: ofCarrier(4),
  },
  out: {
    submitted: { source: 'carrier', extended: ['initial_request', 'updated_request'], rank: 0 },
    delayed: { source: 'top', extended: 'reason', rank: 1 },
    rejected: { source: 'top', extended: 'reason', rank: 2 },
    confirmed: { source: 'top', extended: 'none', rank: 3 },
    canceled: ofCarrier(4),
    completed: ofCarrier(4),
  },
};

/** Carriers have more reasons than any list; this is what all known ones look like. */
const REASON = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/;

/** Whether a text can be a reason. */
export function isReason(text: string): boolean {
  return REASON.test(text);
}

/** What the request of another operator for one of our numbers begins with. */
export const INITIAL_REQUEST = 'initial_request';

/** The codes a port of that direction can have, in the order in which ports usually get them. */
export function codesOf(direction: PortDirection): readonly string[] {
  return Object.keys(RULES[direction]);
}

/** Whether a port of that direction can have the code at all. */
export function isKnownCode(direction: PortDirection, code: string): boolean {
  return Object.hasOwn(RULES[direction], code);
}

/** Finished ports never change again. */
export function isFinished({ code }: { readonly code: string }): boolean {
  return code === 'completed' || code === 'canceled';
}

function rankOf(direction: PortDirection, code: string): number {
  return RULES[direction][code]?.rank ?? 0;
}

function enumIssue(name: string, value: string, target: readonly string[]): Issue {
  const message = 'Value not found in enumerated list of values';
  return { path: [name], rule: 'enum', message, details: { target, value } };
}

function extendedIssues({ extended: allowed }: CodeRule, claim: StatusClaim): readonly Issue[] {
  const { code, extended } = claim;
  if (extended === undefined) return [];
  if (allowed === 'none') {
    const message = `The status ${code} has no extended status`;
    return [{ path: ['extended'], rule: 'invalid', message, details: { value: extended } }];
  }
  if (allowed !== 'reason') {
    return allowed.includes(extended) ? [] : [enumIssue('extended', extended, allowed)];
  }
  if (isReason(extended)) return [];
  const message = `Failed to match pattern '${REASON.source}'`;
  const details = { target: REASON.source, value: extended };
  return [{ path: ['extended'], rule: 'pattern', message, details }];
}

/**
 * Every fault of a status: an unknown code, a source that does not bring that code about, an
 * extended status that does not belong to it. Codes of which nothing is known are judged by the
 * code alone, sources by themselves.
 */
export function listStatusFaults(direction: PortDirection, claim: StatusClaim): readonly Issue[] {
  const rule = isKnownCode(direction, claim.code) ? RULES[direction][claim.code] : undefined;
  if (rule === undefined) {
    const faults = [enumIssue('code', claim.code, codesOf(direction))];
    const sources = ['carrier', 'top'];
    return sources.includes(claim.source)
      ? faults
      : [...faults, enumIssue('source', claim.source, sources)];
  }
  const sourceFaults =
    claim.source === rule.source ? [] : [enumIssue('source', claim.source, [rule.source])];
  return [...sourceFaults, ...extendedIssues(rule, claim)];
}

/** What becomes of a message: it is new, was there before, or comes too late to count. */
export type Verdict = 'apply' | 'duplicate' | 'late';

/**
 * How far behind ours a carrier's clock may be, seconds: its first answer to a request of ours must
 * not look older than the request.
 */
const CLOCK_SLACK_S = 60;

/**
 * Whether a message changes a port. Each applied message is above the status that it replaces, by
 * time or, within one second, by rank. So a message that comes again finds itself at or below the
 * status, however much was forgotten in the meantime: the ids only tell duplicates from late ones.
 */
export function judgeMessage(
  port: {
    readonly direction: PortDirection;
    readonly status: PortStatus;
    readonly seenMessages: readonly string[];
  },
  message: { readonly id: string; readonly code: string; readonly timestamp: number },
): Verdict {
  const { direction, status } = port;
  if (port.seenMessages.includes(message.id)) return 'duplicate';
  if (isFinished(status)) return 'late';
  // Nobody but us has spoken so far, and this is our clock.
  const isOurs = status.source === 'top' && status.forced_update !== true;
  if (isOurs && port.seenMessages.length === 0) {
    return message.timestamp + CLOCK_SLACK_S >= status.timestamp ? 'apply' : 'late';
  }
  if (message.timestamp !== status.timestamp) {
    return message.timestamp > status.timestamp ? 'apply' : 'late';
  }
  return rankOf(direction, message.code) > rankOf(direction, status.code) ? 'apply' : 'late';
}

/**
 * The time of a status that people set: now, and in any case behind the status it replaces, or a
 * message that was applied before could be applied again.
 */
export function forcedTimestamp(before: PortStatus, nowS: number): number {
  return Math.max(nowS, before.timestamp + 1);
}

/** A status without members that are undefined, as it is stored and shown. */
export function plainStatus(status: PortStatus): PortStatus {
  const { code, extended, source, timestamp, forced_update: forced } = status;
  return {
    code,
    ...(extended === undefined ? {} : { extended }),
    source,
    timestamp,
    ...(forced === undefined ? {} : { forced_update: forced }),
  };
}
