import type { SavedDoc } from '../../couch/types.js';
import { generationOf, rowOfDoc, type SipAccountRow } from './sip-accounts.row.js';

/** The rows of one account in memory. */
export interface AccountRows {
  readonly accountId: string;
  readonly rows: ReadonlyMap<string, SipAccountRow>;
  /** False while they are being read. */
  readonly isLoaded: boolean;
  /** True: these rows are kept up to date no more; who wants them has to ask again. */
  readonly isDropped: boolean;
}

/** A row that came, went or changed. */
export interface RowChange {
  readonly before: SipAccountRow | undefined;
  readonly after: SipAccountRow | undefined;
}

interface Held extends AccountRows {
  readonly rows: Map<string, SipAccountRow>;
  isLoaded: boolean;
  isDropped: boolean;
  usedAt: number;
}

export type SipAccountTable = ReturnType<typeof createSipAccountTable>;

/** Changes remembered, so that what was made of rows can be brought up to date. */
const JOURNAL = 20_000;
/** Ids of removed accounts remembered, at most. */
const MAX_GONE = 20_000;

/**
 * Rows by account, and what has changed in them. The accounts that are asked for are opened, read
 * and then held; rows of others are passed over. Answers of the store may overtake each other, so
 * the later revision wins whatever comes first.
 */
export function createSipAccountTable(now: () => number) {
  const accounts = new Map<string, Held>();
  const rows = new Map<string, SipAccountRow>();
  /** Ids that are gone, with the generation that they went in. */
  const gone = new Map<string, number>();
  const journal: RowChange[] = [];
  let journalStart = 0;

  function note(change: RowChange): void {
    journal.push(change);
    if (journal.length <= JOURNAL) return;
    const count = journal.length - JOURNAL / 2;
    journal.splice(0, count);
    journalStart += count;
  }

  /** Puts a row in its account, or takes it away. */
  function replace(id: string, after: SipAccountRow | undefined): void {
    const before = rows.get(id);
    const from = before && accounts.get(before.accountId);
    const to = after && accounts.get(after.accountId);
    if (before !== undefined) {
      rows.delete(id);
      from?.rows.delete(id);
    }
    if (after !== undefined && to !== undefined) {
      rows.set(id, after);
      to.rows.set(id, after);
    }
    // Of what is still being read nobody has made anything.
    if (from?.isLoaded || to?.isLoaded) note({ before, after: to && after });
  }

  /** Takes a row in unless a later one is known. */
  function take(row: SipAccountRow): void {
    const generation = generationOf(row.revision);
    const known = rows.get(row.id);
    if (known !== undefined && generation < generationOf(known.revision)) return;
    if (known?.revision === row.revision || generation <= (gone.get(row.id) ?? 0)) return;
    if (known !== undefined || accounts.has(row.accountId)) replace(row.id, row);
  }

  /** An id that has no row any more, from a generation on. */
  function drop(id: string, generation: number): void {
    const known = rows.get(id);
    if (known !== undefined && generation <= generationOf(known.revision)) return;
    if (accounts.size > 0) gone.set(id, Math.max(generation, gone.get(id) ?? 0));
    const [oldest] = gone.keys();
    if (gone.size > MAX_GONE && oldest !== undefined) gone.delete(oldest);
    if (known !== undefined) replace(id, undefined);
  }

  function forget(account: AccountRows): void {
    const held = accounts.get(account.accountId);
    if (held === undefined || held !== account) return;
    held.isDropped = true;
    accounts.delete(held.accountId);
    for (const id of held.rows.keys()) rows.delete(id);
    if (accounts.size === 0) gone.clear();
  }

  return {
    take,
    drop,
    forget,

    /** Forgets everything, also what is being read. */
    clear(): void {
      for (const account of [...accounts.values()]) forget(account);
    },

    takeDoc(doc: SavedDoc): void {
      const row = rowOfDoc(doc);
      if (row === undefined) drop(doc._id, generationOf(doc._rev));
      else take(row);
    },

    /** Begins to hold an account's rows; they are to be read then, and {@link close} says so. */
    open(accountId: string): AccountRows {
      const held = {
        accountId,
        rows: new Map<string, SipAccountRow>(),
        isLoaded: false,
        isDropped: false,
        usedAt: now(),
      };
      accounts.set(accountId, held);
      return held;
    },

    close(account: AccountRows): void {
      const held = accounts.get(account.accountId);
      if (held === account && held !== undefined) held.isLoaded = true;
    },

    /** What is held of an account, wholly or in part. */
    find: (accountId: string): AccountRows | undefined => accounts.get(accountId),

    use(account: AccountRows, at: number): void {
      const held = accounts.get(account.accountId);
      if (held !== undefined) held.usedAt = at;
    },

    revisionOf: (id: string): string | undefined => rows.get(id)?.revision,
    isEmpty: (): boolean => accounts.size === 0,
    count: (): number => rows.size,

    /** Accounts that are read and were not used since, the longest unused first. */
    listUnused(sinceMs: number): readonly AccountRows[] {
      const unused = [...accounts.values()].filter(
        ({ isLoaded, usedAt }) => isLoaded && usedAt < sinceMs,
      );
      return unused.sort((a, b) => a.usedAt - b.usedAt);
    },

    /** Where the journal is now. */
    version: (): number => journalStart + journal.length,

    /** What has changed since a version; undefined when that is too long ago. */
    changesSince: (version: number): readonly RowChange[] | undefined =>
      version < journalStart ? undefined : journal.slice(version - journalStart),
  };
}
