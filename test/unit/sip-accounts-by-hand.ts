import type { Follower, FollowerOptions } from '../../src/couch/follower.js';
import type { SavedDoc } from '../../src/couch/types.js';
import { rowOfDoc } from '../../src/resources/sip-accounts/sip-accounts.row.js';
import type { SipAccountStore } from '../../src/resources/sip-accounts/sip-accounts.store.js';

export const ACCOUNTS = ['a'.repeat(32), 'b'.repeat(32), 'c'.repeat(32)];

export const idOf = (n: number) => n.toString(16).padStart(32, '0');

export function docOf(n: number, generation: number, fields: object = {}): SavedDoc {
  return {
    _id: idOf(n),
    _rev: `${generation}-${'0'.repeat(32)}`,
    pvt_type: 'device',
    pvt_account_id: ACCOUNTS[n % 2],
    sip: { username: `user-${n}` },
    ...fields,
  };
}

/** A store that holds documents, and whose changes are told when a test says so. */
export function fakeStore() {
  const docs = new Map<string, SavedDoc>();
  const calls = { views: 0, docs: 0 };
  let options: Omit<FollowerOptions, 'database'> | undefined;
  let isCurrent = false;
  /** Answers wait for this; they say what was there when they were asked for. */
  let gate: Promise<void> | undefined;
  const follower: Follower = {
    touch: () => {
      if (!isCurrent) tell([]);
    },
    isCurrent: () => isCurrent,
    isFollowing: () => isCurrent,
    stop: () => undefined,
  };
  function tell(changed: readonly SavedDoc[]): void {
    isCurrent = true;
    const changes = changed.map(({ _id, _rev, _deleted }) => ({
      id: _id,
      seq: '1',
      rev: _rev,
      deleted: _deleted === true,
    }));
    options?.onChanges(changes, '1');
  }
  const rowsOf = (ids: readonly string[]) =>
    [...docs.values()].flatMap((doc) => {
      const row = rowOfDoc(doc);
      return row !== undefined && ids.includes(row.accountId) ? [row] : [];
    });
  const store = {
    follow(given: Omit<FollowerOptions, 'database'>) {
      options = given;
      return follower;
    },
    countByAccount: async (ids: readonly string[]) =>
      new Map(ids.map((id) => [id, rowsOf([id]).length] as const).filter(([, count]) => count > 0)),
    findRows: async (ids: readonly string[]) => {
      calls.views += 1;
      const rows = rowsOf(ids);
      await gate;
      return rows;
    },
    findStoredMany: async (ids: readonly string[]) => {
      calls.docs += 1;
      const found = ids.flatMap((id) => (docs.has(id) ? [[id, docs.get(id) as SavedDoc]] : []));
      await gate;
      return new Map(found as [string, SavedDoc][]);
    },
  };
  return {
    docs,
    calls,
    tell,
    hold(): () => void {
      let open = () => {};
      gate = new Promise((resolve) => {
        open = resolve;
      });
      return () => {
        gate = undefined;
        open();
      };
    },
    fail: (error: unknown) => {
      isCurrent = false;
      options?.onFailure?.(error);
    },
    lag: () => {
      isCurrent = false;
      follower.touch = () => undefined;
    },
    store: store as unknown as SipAccountStore,
  };
}
