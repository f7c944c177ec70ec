import type { SavedDoc } from '../../couch/types.js';
import { rowOfDoc, type SipAccountRow } from './sip-accounts.row.js';

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
  /** By the clock of what is told. */
  readonly openedAt: number;
  isLoaded: boolean;
  isDropped: boolean;
  usedAt: number;
}

export type SipAccountTable = ReturnType<typeof createSipAccountTable>;

/** Changes remembered, so that what was made of rows can be brought up to date. */
const JOURNAL = 20_000;

/**
 * Rows by account, and what has changed in them. The accounts that are asked for are opened, read
 * and then held; rows of others are passed over. What is told of single ones goes before what is
 * read of all of them meanwhile, because only the former is in order.
 */
export function createSipAccountTable(now: () => number) {
  const accounts = new Map<string, Held>();
  const rows = new Map<string, SipAccountRow>();
  /** When ids were told of while accounts are being read, the gone ones among them. */
  const told = new Map<string, number>();
  const opening = new Set<AccountRows>();
  let clock = 0;
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

  /** Takes a row that was read with all those of its account, unless more is known of its id. */
  function take(row: SipAccountRow): void {
    const account = accounts.get(row.accountId);
    // What was told since the reading began is newer than what is read, or is read again.
    if (account === undefined || rows.has(row.id)) return;
    if ((told.get(row.id) ?? 0) > account.openedAt) return;
    replace(row.id, row);
  }

  /** What an id is now, whatever was known of it: revisions say nothing of what wins. */
  function set(id: string, row: SipAccountRow | undefined): void {
    clock += 1;
    if (opening.size > 0) told.set(id, clock);
    if (rows.get(id)?.revision === row?.revision) return;
    replace(id, row);
  }

  function endLoading(account: AccountRows): void {
    opening.delete(account);
    if (opening.size === 0) told.clear();
  }

  function forget(account: AccountRows): void {
    const held = accounts.get(account.accountId);
    if (held === undefined || held !== account) return;
    held.isDropped = true;
    accounts.delete(held.accountId);
    for (const id of held.rows.keys()) rows.delete(id);
    endLoading(held);
  }

  return {
    take,
    forget,

    /** Forgets everything, also what is being read. */
    clear(): void {
      for (const account of [...accounts.values()]) forget(account);
    },

    /** A document as it is now. */
    takeDoc: (doc: SavedDoc): void => set(doc._id, rowOfDoc(doc)),

    /** There is no such document now. */
    drop: (id: string): void => set(id, undefined),

    /** Begins to hold an account's rows; they are to be read then, and {@link close} says so. */
    open(accountId: string): AccountRows {
      const held = {
        accountId,
        rows: new Map<string, SipAccountRow>(),
        openedAt: clock,
        isLoaded: false,
        isDropped: false,
        usedAt: now(),
      };
      accounts.set(accountId, held);
      opening.add(held);
      return held;
    },

    close(account: AccountRows): void {
      const held = accounts.get(account.accountId);
      if (held === account && held !== undefined) held.isLoaded = true;
      endLoading(account);
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
