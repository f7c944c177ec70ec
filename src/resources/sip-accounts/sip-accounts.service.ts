import { AppError, hasCode } from '../../core/errors.js';
import { jsonEquals } from '../../core/json.js';
import { newId } from '../../core/operation.js';
import { createSemaphore, type Semaphore } from '../../core/semaphore.js';
import { formatUuid } from '../../core/uuid.js';
import type { SipAccountClaims, SipAddress } from './sip-accounts.claims.js';
import type { SipAccountCopies } from './sip-accounts.copies.js';
import type {
  NewSipAccount,
  SipAccount,
  SipAccountChange,
  SipAccountDocs,
} from './sip-accounts.doc.js';
import { checkSipAccount } from './sip-accounts.fields.js';
import type { SipAccountIndex } from './sip-accounts.index.js';
import type { SipAccountStore } from './sip-accounts.store.js';

/** What a SIP account needs to know of the account that it is in. */
export interface SipAccountOwner {
  readonly id: string;
  readonly realm: string | undefined;
  /** SIP accounts that may be there; undefined: any number. */
  readonly sipAccountLimit: number | undefined;
}

export interface SipAccountServiceDeps {
  readonly store: SipAccountStore;
  readonly docs: SipAccountDocs;
  readonly claims: SipAccountClaims;
  readonly copies: SipAccountCopies;
  readonly index: SipAccountIndex;
  /** The account as it is stored now; undefined: there is none, or it is deleted. */
  readonly findOwner: (accountId: string) => Promise<SipAccountOwner | undefined>;
  /** Told once about each step after a commit that failed and is left to `refresh`. */
  readonly onFailure: (error: unknown, accountId: string, step: string) => void;
}

/** On what terms a stored SIP account is changed. */
export interface SipAccountTerms {
  /** Whether those of an account may be changed at all. */
  readonly isVisible: (accountId: string) => boolean;
  /** Refuses a revision that was not meant; it is the one that is replaced. */
  readonly match: (revision: string) => void;
}

export type SipAccountService = ReturnType<typeof createSipAccountService>;

/** Writes of one account that others may overtake, at most; then it is a conflict. */
const TRIES = 6;
/** Creations in one account that may wait for each other. */
const WAITING_MAX = 10_000;

function notFound(id: string): AppError {
  return new AppError('not_found', 'no such SIP account', { subject: formatUuid(id) });
}

function full(limit: number): AppError {
  return new AppError('conflict', `the account may have ${limit} SIP accounts and has them`, {
    reason: 'sip_account_limit',
  });
}

/** Runs what concerns one account one after the other. */
function createQueues() {
  const queues = new Map<string, { semaphore: Semaphore; users: number }>();
  return async <T>(key: string, run: () => Promise<T>): Promise<T> => {
    const queue = queues.get(key) ?? { semaphore: createSemaphore(1, WAITING_MAX), users: 0 };
    queues.set(key, queue);
    queue.users += 1;
    try {
      return await queue.semaphore.run(run);
    } finally {
      queue.users -= 1;
      if (queue.users === 0) queues.delete(key);
    }
  };
}

/** The rules for SIP accounts. The write of the truth counts; claims and copies follow from it. */
export function createSipAccountService(deps: SipAccountServiceDeps) {
  const { store, docs, claims, copies, index } = deps;
  const inTurn = createQueues();

  async function get(id: string): Promise<SipAccount> {
    const account = await store.find(id);
    if (account === undefined) throw notFound(id);
    return account;
  }

  async function getOwner(accountId: string): Promise<SipAccountOwner & { realm: string }> {
    const owner = await deps.findOwner(accountId);
    if (owner === undefined) {
      throw new AppError('not_found', 'no such account', { subject: accountId });
    }
    const { realm } = owner;
    if (realm !== undefined) return { ...owner, realm };
    throw new AppError('conflict', 'the account has no realm', { reason: 'no_realm' });
  }

  async function attempt(accountId: string, step: string, run: () => Promise<unknown>) {
    try {
      await run();
    } catch (error) {
      deps.onFailure(error, accountId, step);
    }
  }

  async function countOf(accountId: string): Promise<number> {
    return (await store.countByAccount([accountId])).get(accountId) ?? 0;
  }

  /** What is left of an account that was to be, or is no more. */
  async function erase(account: SipAccount): Promise<void> {
    await store.remove(account);
    index.noteRemoved(account.id);
    const { id, accountId } = account;
    await attempt(accountId, 'claims', () => claims.release(id, account));
    await copies.settleEventually(accountId, [id]);
  }

  /**
   * Creating writes and then looks at the owner and its limit; whoever deletes the owner, or
   * creates in another process, does so as well. Of two that meet at least one sees the other.
   */
  async function keepWithin(owner: SipAccountOwner, account: SipAccount): Promise<void> {
    const now = await deps.findOwner(owner.id);
    if (now === undefined) {
      await erase(account);
      throw new AppError('not_found', 'the account was deleted', { subject: owner.id });
    }
    const { sipAccountLimit: limit } = now;
    if (limit === undefined || (await countOf(owner.id)) <= limit) return;
    await erase(account);
    throw full(limit);
  }

  /**
   * What becomes of the user name of an account that was not answered as saved. It may be there all
   * the same, or come yet: the name stays claimed then, and a claim that nobody confirms counts for
   * no more than a minute without its document.
   */
  async function settleFailed(id: string, address: SipAddress, error: unknown): Promise<void> {
    const account = await store.find(id);
    if (account !== undefined) {
      await claims.confirm(id, address);
      await copies.settleEventually(account.accountId, [id]);
    } else if (!store.mayComeYet(error)) {
      await claims.release(id, address);
    }
  }

  async function createIn(accountId: string, input: NewSipAccount): Promise<SipAccount> {
    const owner = await getOwner(accountId);
    const { sipAccountLimit: limit, realm } = owner;
    if (limit !== undefined && (await countOf(accountId)) >= limit) throw full(limit);
    const id = newId();
    const address = { username: input.username, realm };
    await claims.acquire(id, address);
    let account: SipAccount | undefined;
    try {
      account = docs.read(await store.save(docs.made(id, owner, input)));
    } catch (error) {
      await attempt(accountId, 'claims', () => settleFailed(id, address, error));
      throw error;
    }
    if (account === undefined) throw new AppError('internal', 'a SIP account is not one', {});
    await keepWithin(owner, account);
    index.noteWritten(account.stored);
    await attempt(accountId, 'claims', () => claims.confirm(id, address));
    await copies.settleEventually(accountId, [id]);
    return account;
  }

  /** Writes what `make` makes of the account, reading it again when another write was first. */
  async function rewrite(
    id: string,
    make: (before: SipAccount) => Parameters<SipAccountStore['save']>[0] | undefined,
  ): Promise<SipAccount> {
    for (let tries = 1; ; tries += 1) {
      const before = await get(id);
      const doc = make(before);
      if (doc === undefined) return before;
      try {
        const account = docs.read(await store.save(doc));
        if (account === undefined) throw notFound(id);
        index.noteWritten(account.stored);
        await copies.settleEventually(account.accountId, [id]);
        return account;
      } catch (error) {
        if (!hasCode(error, 'conflict') || tries >= TRIES) throw error;
      }
    }
  }

  return {
    get,
    passwordOf: docs.passwordOf,

    /**
     * Creates a SIP account; `InvalidError` for what is wrong with it or taken, `conflict` with
     * reason `sip_account_limit` when the account has all that it may have.
     */
    async create(accountId: string, input: NewSipAccount): Promise<SipAccount> {
      const checked = checkSipAccount(input);
      return inTurn(accountId, () => createIn(accountId, checked));
    },

    /**
     * Changes what the change names, whole or not at all. A change that says what is stored writes
     * nothing. `not_found` where it is not visible; `conflict` when others are first all the time.
     */
    async patch(
      id: string,
      change: SipAccountChange,
      { isVisible, match }: SipAccountTerms,
    ): Promise<SipAccount> {
      const checked = checkSipAccount(change);
      return rewrite(id, (before) => {
        if (!isVisible(before.accountId)) throw notFound(id);
        match(before.revision);
        const doc = docs.changed(before, checked);
        return jsonEquals(withoutStamp(doc), withoutStamp(before.stored)) ? undefined : doc;
      });
    },

    async setPassword(id: string, password: string): Promise<SipAccount> {
      checkSipAccount({ password });
      return rewrite(id, (before) => docs.withPassword(before, password));
    },

    /** Deletes a SIP account; its user name can be had again. */
    async remove(id: string): Promise<SipAccount> {
      const account = await get(id);
      await erase(account);
      return account;
    },

    /** SIP accounts forbid the deletion of their account. */
    participant: {
      name: 'SIP accounts',
      async listHolds(accountId: string): Promise<readonly string[]> {
        const count = await countOf(accountId);
        return count === 0 ? [] : [`${count} SIP account${count === 1 ? '' : 's'}`];
      },
      release: () => Promise.resolve(),
    },
  };
}

/** What every write sets anew. */
function withoutStamp(doc: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(doc).filter(
      ([name]) =>
        !/^pvt_(vsn|created|modified|request_id|is_authenticated|auth_\w+)$/.test(name) &&
        name !== '_rev',
    ),
  );
}
