/** `suspicious`: calls go through, and the store is being asked whether it is up at all. */
export type BreakerState = 'closed' | 'suspicious' | 'open';

/** What the breaker thinks of the store. */
export interface BreakerStatus {
  readonly state: BreakerState;
  /** Why it is not closed, in words for an operator. */
  readonly cause?: string;
  /** How long it has been in this state, milliseconds. */
  readonly forMs: number;
  /** How often it has opened since the client was made. */
  readonly openings: number;
}

export interface BreakerOptions {
  /** Milliseconds of a clock that is never set back. */
  readonly now: () => number;
  /** From now on the store has to be probed, until the state is `closed` again. */
  readonly onSuspicion: () => void;
  readonly onOpen: (cause: string) => void;
  /** With the time that it was open, in milliseconds. */
  readonly onClose: (openMs: number) => void;
}

/** The state machine alone: it has no timers and asks nobody, so that tests can own its time. */
export interface Breaker {
  isOpen(): boolean;
  /** A call has ended: the store answered it, or failed it for a reason of the store's. */
  record(hasAnswered: boolean, failure?: string): void;
  /** A probe that was started at `startedAt` of the clock has ended. */
  probed(isUp: boolean, startedAt: number): void;
  status(): BreakerStatus;
}

/** So many failures one after another are a store that may be dead. */
const STREAK_MAX = 5;
/** So large a share of failures, among at least so many calls of the window, is one that is ill. */
const SHARE_MAX = 0.5;
const CALLS_MIN = 20;
const SLOT_MS = 1000;
const SLOTS = 10;
/** A store that fails again so soon is flapping: it must stay up for a while to be believed. */
const RECENT_MS = 10_000;
const CALM_MS = 700;
/** A store that has just proved to be up is not probed again because of more failures. */
const CLEARED_MS = 500;

/**
 * Opens when calls fail **and** the store does not answer a probe. Neither alone is enough: one bad
 * document fails every call for it while the store is well, and a probe is too little to go by.
 */
export function createBreaker(options: BreakerOptions): Breaker {
  const evidence = createEvidence(options.now);
  let state: BreakerState = 'closed';
  let since = options.now();
  let closedAt = Number.NEGATIVE_INFINITY;
  let cause: string | undefined;
  let openings = 0;
  let clearedAt = Number.NEGATIVE_INFINITY;
  let upSince: number | undefined;
  let calmMs = 0;

  function enter(next: BreakerState, why: string | undefined): void {
    state = next;
    since = options.now();
    cause = why;
    evidence.forget();
    upSince = undefined;
  }

  function clear(): void {
    clearedAt = options.now();
    enter('closed', undefined);
  }

  function open(): void {
    calmMs = options.now() - closedAt < RECENT_MS ? CALM_MS : 0;
    openings += 1;
    enter('open', cause);
    options.onOpen(cause ?? '');
  }

  function close(): void {
    const openMs = options.now() - since;
    closedAt = options.now();
    enter('closed', undefined);
    options.onClose(openMs);
  }

  return {
    isOpen: () => state === 'open',
    record(hasAnswered, failure) {
      if (state !== 'closed') return;
      evidence.add(hasAnswered);
      if (hasAnswered || options.now() - clearedAt < CLEARED_MS) return;
      const why = evidence.suspicion();
      if (why === undefined) return;
      enter('suspicious', `${why}, the last because ${failure ?? 'it failed'}`);
      options.onSuspicion();
    },
    probed(isUp, startedAt) {
      // A slow probe of an earlier state says nothing about this one.
      if (state === 'closed' || startedAt < since) return;
      if (state === 'suspicious') {
        if (isUp) clear();
        else open();
      } else if (isUp) {
        upSince ??= options.now();
        if (options.now() - upSince >= calmMs) close();
      } else if (upSince !== undefined && startedAt >= upSince) {
        upSince = undefined;
      }
    },
    status: () => ({
      state,
      ...(cause === undefined ? {} : { cause }),
      forMs: options.now() - since,
      openings,
    }),
  };
}

interface Slot {
  id: number;
  calls: number;
  failures: number;
}

/** What the last calls came to: the failures in a row, and counts of the last ten seconds. */
function createEvidence(now: () => number) {
  const slots: Slot[] = Array.from({ length: SLOTS }, () => ({ id: -1, calls: 0, failures: 0 }));
  let streak = 0;

  function slotOf(id: number): Slot {
    const place = ((id % SLOTS) + SLOTS) % SLOTS;
    const slot = slots[place] ?? { id, calls: 0, failures: 0 };
    if (slot.id !== id) Object.assign(slot, { id, calls: 0, failures: 0 });
    return slot;
  }

  return {
    add(hasAnswered: boolean): void {
      const slot = slotOf(Math.floor(now() / SLOT_MS));
      slot.calls += 1;
      if (hasAnswered) {
        streak = 0;
      } else {
        streak += 1;
        slot.failures += 1;
      }
    },
    /** Why the store may be down; undefined when nothing says so. */
    suspicion(): string | undefined {
      if (streak >= STREAK_MAX) return `${streak} calls in a row failed`;
      const oldest = Math.floor(now() / SLOT_MS) - SLOTS;
      const valid = slots.filter(({ id }) => id > oldest);
      const calls = valid.reduce((sum, slot) => sum + slot.calls, 0);
      const failures = valid.reduce((sum, slot) => sum + slot.failures, 0);
      if (calls < CALLS_MIN || failures < calls * SHARE_MAX) return undefined;
      return `${failures} of the last ${calls} calls failed`;
    },
    forget(): void {
      streak = 0;
      for (const slot of slots) slot.id = -1;
    },
  };
}
