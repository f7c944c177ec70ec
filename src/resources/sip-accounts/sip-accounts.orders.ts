import { LRUCache } from 'lru-cache';
import type { SipAccountIndex } from './sip-accounts.index.js';
import { isOn, type SipAccountRow, type Switch } from './sip-accounts.row.js';
import type { AccountRows } from './sip-accounts.table.js';

/** What rows can be sorted by. */
export type SortField =
  | 'id'
  | 'username'
  | 'callerIdName'
  | 'internalCallerId'
  | 'externalCallerId'
  | 'allowedIps'
  | Switch;

export interface SortKey {
  readonly field: SortField;
  readonly isDescending: boolean;
}

/** Which rows are wanted: any of the values of each filter that is there. */
export interface RowFilters {
  readonly ids?: readonly string[];
  readonly usernames?: readonly string[];
  readonly callerIdNames?: readonly string[];
  readonly internalCallerIds?: readonly number[];
  readonly externalCallerIds?: readonly number[];
  readonly allowExternalCalls?: readonly boolean[];
}

/** Rows of all orders kept, at most; each takes the place of a pointer. */
const MAX_KEPT = 5_000_000;
const MAX_ORDERS = 500;
/** Orders that nobody asked for this long are given up, milliseconds. */
const IDLE_MS = 600_000;
/** Beyond this share of changed rows sorting anew is the shorter way. */
const MERGE_SHARE = 4;

type Value = string | number | boolean | null;
type Compare = (a: SipAccountRow, b: SipAccountRow) => number;

interface Order {
  readonly accounts: readonly AccountRows[];
  readonly rows: readonly SipAccountRow[];
  readonly version: number;
}

const PLAIN = {
  id: (row) => row.id,
  username: (row) => row.username,
  callerIdName: (row) => row.callerIdName,
  internalCallerId: (row) => row.internalCallerId,
  externalCallerId: (row) => row.externalCallerId,
  allowedIps: (row) => row.allowedIps,
} as const satisfies Record<Exclude<SortField, Switch>, (row: SipAccountRow) => Value>;

function getterOf(field: SortField): (row: SipAccountRow) => Value {
  if (Object.hasOwn(PLAIN, field)) return PLAIN[field as keyof typeof PLAIN];
  return (row) => isOn(row, field as Switch);
}

/** Nulls come last whichever way it goes; texts are compared by their code units. */
function compareBy({ field, isDescending }: SortKey): Compare {
  const get = getterOf(field);
  const sign = isDescending ? -1 : 1;
  return (a, b) => {
    const left = get(a);
    const right = get(b);
    if (left === right) return 0;
    if (left === null) return 1;
    if (right === null) return -1;
    return left < right ? -sign : sign;
  };
}

/** The id decides between rows that are alike otherwise, so that pages never overlap. */
function comparison(sort: readonly SortKey[]): Compare {
  const compares = [...sort, { field: 'id', isDescending: false } as const].map(compareBy);
  return (a, b) => {
    for (const compare of compares) {
      const order = compare(a, b);
      if (order !== 0) return order;
    }
    return 0;
  };
}

/** Whether a row passes all filters. */
function matcher(filters: RowFilters): (row: SipAccountRow) => boolean {
  const checks: ((row: SipAccountRow) => boolean)[] = [];
  const add = <T>(wanted: readonly T[] | undefined, get: (row: SipAccountRow) => T | null) => {
    if (wanted === undefined) return;
    const values = new Set<T | null>(wanted);
    checks.push((row) => values.has(get(row)));
  };
  add(filters.ids, (row) => row.id);
  add(filters.usernames, (row) => row.username);
  add(filters.callerIdNames, (row) => row.callerIdName);
  add(filters.internalCallerIds, (row) => row.internalCallerId);
  add(filters.externalCallerIds, (row) => row.externalCallerId);
  add(filters.allowExternalCalls, (row) => isOn(row, 'allowExternalCalls'));
  return (row) => checks.every((check) => check(row));
}

/** Two sorted lists in one, without those of the first that are in `without`. */
function merged(
  old: readonly SipAccountRow[],
  added: readonly SipAccountRow[],
  without: ReadonlySet<SipAccountRow>,
  compare: Compare,
): SipAccountRow[] {
  const rows: SipAccountRow[] = [];
  let n = 0;
  for (const row of old) {
    if (without.has(row)) continue;
    for (let next = added[n]; next !== undefined && compare(next, row) < 0; next = added[n]) {
      rows.push(next);
      n += 1;
    }
    rows.push(row);
  }
  return [...rows, ...added.slice(n)];
}

/**
 * Rows of accounts in the order and by the filters that were asked for. What was sorted once is
 * kept, and brought up to date by what has changed since instead of being sorted again.
 */
export function createSipAccountOrders(
  index: Pick<SipAccountIndex, 'version' | 'changesSince' | 'ready'>,
) {
  const kept = new LRUCache<string, Order>({
    max: MAX_ORDERS,
    ttl: IDLE_MS,
    updateAgeOnGet: true,
    ttlAutopurge: true,
    maxSize: MAX_KEPT,
    sizeCalculation: ({ rows }) => rows.length + 1,
  });

  function sorted(accounts: readonly AccountRows[], filters: RowFilters, compare: Compare): Order {
    const matches = matcher(filters);
    const rows: SipAccountRow[] = [];
    for (const account of accounts) {
      for (const row of account.rows.values()) if (matches(row)) rows.push(row);
    }
    return { accounts, rows: rows.sort(compare), version: index.version() };
  }

  /** The same order with what has changed; undefined when it cannot be made from that. */
  function updated(order: Order, filters: RowFilters, compare: Compare): Order | undefined {
    const version = index.version();
    if (order.accounts.some(({ isDropped }) => isDropped)) return undefined;
    if (order.version === version) return order;
    const changes = index.changesSince(order.version);
    if (changes === undefined || changes.length > order.rows.length / MERGE_SHARE) return undefined;
    const own = new Set(order.accounts.map(({ accountId }) => accountId));
    const matches = matcher(filters);
    const without = new Set<SipAccountRow>();
    const added = new Set<SipAccountRow>();
    for (const { before, after } of changes) {
      if (before !== undefined) {
        without.add(before);
        added.delete(before);
      }
      if (after !== undefined && own.has(after.accountId) && matches(after)) added.add(after);
    }
    const rows = merged(order.rows, [...added].sort(compare), without, compare);
    return { accounts: order.accounts, rows, version };
  }

  return {
    /** Rows of the accounts; `scope` names the set of accounts, the same set by the same name. */
    async list(
      scope: { readonly key: string; readonly accountIds: readonly string[] },
      filters: RowFilters,
      sort: readonly SortKey[],
    ): Promise<readonly SipAccountRow[]> {
      const accounts = await index.ready(scope.accountIds);
      const key = JSON.stringify([scope.key, filters, sort]);
      const compare = comparison(sort);
      const known = kept.get(key);
      const isSame = known?.accounts.length === accounts.length;
      const order =
        (isSame ? updated(known, filters, compare) : undefined) ??
        sorted(accounts, filters, compare);
      if (order !== known) kept.set(key, order);
      return order.rows;
    },
  };
}
