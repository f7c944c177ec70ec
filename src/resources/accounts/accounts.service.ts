import { AppError, hasCode, InvalidError, type Issue } from '../../core/errors.js';
import type { JsonObject } from '../../core/json.js';
import { mergePatch } from '../../core/merge.js';
import { isRepeat, newId, newIdFor } from '../../core/operation.js';
import { validate } from '../../core/validation.js';
import type { AccountClaims } from './accounts.claims.js';
import {
  type Account,
  enabledChange,
  fromDoc,
  toDoc,
  trialFields,
  withPrivate,
} from './accounts.doc.js';
import { type AccountParticipant, refuseHolds } from './accounts.participant.js';
import { accountBody, settable } from './accounts.schema.js';
import type { AccountStore } from './accounts.store.js';

export interface AccountServiceDeps {
  readonly store: AccountStore;
  readonly claims: AccountClaims;
  readonly participants: readonly AccountParticipant[];
  readonly findMasterId: () => Promise<string | undefined>;
  /** Kazoo's default realm is random hex and this suffix. */
  readonly realmSuffix: string;
  readonly now: () => number;
  /** This process has saved or deleted the account. */
  readonly onChange: (accountId: string) => void;
  /** Told about each step after a commit that failed and is left to `refresh`. */
  readonly onCleanupFailure: (error: unknown, accountId: string, step: string) => void;
}

type Fields = Record<string, unknown>;

/** What is to be stored, and whether the request wants the account enabled. */
interface Checked {
  readonly fields: Fields;
  readonly enabled: boolean | undefined;
}

export type Match = (revision: string) => void;

const noMatch: Match = () => undefined;
const DEFAULT_TIMEZONE = 'UTC';
const REALM_DIGITS = 6;
const SAVE_TRIES = 5;

export type AccountService = ReturnType<typeof createAccountService>;

/** The rules of accounts (contract §4; kazoo-accounts §1): everything is checked, then saved. */
export function createAccountService(deps: AccountServiceDeps) {
  const { store, claims, now } = deps;

  async function get(id: string): Promise<Account> {
    const account = await store.find(id);
    if (account === undefined) throw new AppError('not_found', 'no such account', { subject: id });
    return account;
  }

  /** The whole schema, then uniqueness; all faults together. */
  async function check(id: string, input: Fields): Promise<Checked> {
    const issues: Issue[] = [];
    let checked = input;
    try {
      checked = validate(accountBody, input);
    } catch (error) {
      if (!(error instanceof InvalidError)) throw error;
      issues.push(...error.issues);
    }
    const faulty = new Set(issues.map(({ path }) => path[0]));
    const sound = Object.entries(checked).filter(([name]) => !faulty.has(name));
    issues.push(...(await claims.findIssues(id, Object.fromEntries(sound))));
    if (issues.length > 0) throw new InvalidError(issues);
    const { enabled, ...fields } = checked;
    return { fields, enabled: typeof enabled === 'boolean' ? enabled : undefined };
  }

  /** What Kazoo fills in where an account has none (§1.2). */
  function defaults(): Fields {
    const realm = `${newIdFor('realm').slice(0, REALM_DIGITS)}.${deps.realmSuffix}`;
    return { realm, timezone: DEFAULT_TIMEZONE };
  }

  /**
   * After a save that failed: gives back what was claimed for it, as far as the account does not
   * hold it by now. The answer of the store may have been lost, or another change have been first.
   */
  async function undoClaims(id: string, fields: Fields): Promise<void> {
    await attempt(id, 'claims', async () => claims.release(id, fields, (await get(id)).stored));
  }

  /** The copy is derived: a failure there leaves the account saved, and `refresh` mends it. */
  async function copyOut(account: Account): Promise<Account> {
    deps.onChange(account.id);
    await attempt(account.id, 'copy', () => store.saveCopy(account.stored));
    return account;
  }

  async function attempt(id: string, step: string, run: () => Promise<unknown>): Promise<void> {
    try {
      await run();
    } catch (error) {
      deps.onCleanupFailure(error, id, step);
    }
  }

  async function undoCreate(id: string, fields: Fields): Promise<void> {
    // The database goes first: a claim without a document behind it is free again by itself.
    await attempt(id, 'unroll database', () => store.destroy(id));
    await attempt(id, 'unroll claims', () => claims.release(id, fields));
  }

  async function create(
    input: Fields,
    options: { parentId?: string; callerId?: string; private?: Fields } = {},
  ): Promise<Account> {
    const parent = options.parentId === undefined ? undefined : await get(options.parentId);
    const id = newIdFor('account');
    // An earlier run that was cut off may have come this far.
    const isSaved = isRepeat() && (await store.findStored(id)) !== undefined;
    if (isSaved) return complete(await get(id), parent?.id);
    const { fields, enabled } = await check(id, { ...defaults(), ...settable(input) });
    const doc = toDoc(
      id,
      undefined,
      {
        fields,
        private: {
          pvt_tree: parent === undefined ? [] : [...parent.tree, parent.id],
          ...(parent === undefined
            ? {}
            : { pvt_parent_id: parent.id, pvt_enabled: parent.isEnabled }),
          ...enabledChange(parent?.tree ?? [], enabled, options.callerId),
          ...trialFields(input['is_trial_account'] === true, now()),
          ...options.private,
        },
      },
      now(),
    );
    let account: Account;
    try {
      await claims.acquireAll(id, fields);
      await store.install(id);
      account = fromDoc(await store.save(doc)) as Account;
    } catch (error) {
      await undoCreate(id, fields);
      throw error;
    }
    return complete(account, parent?.id);
  }

  /** What comes after the write that counts; safe to repeat. */
  async function complete(account: Account, parentId: string | undefined): Promise<Account> {
    const { id, fields } = account;
    await attempt(id, 'confirm claims', () => claims.confirmAll(id, fields));
    await copyOut(account);
    if (parentId !== undefined) await keepBelow(account, parentId);
    return account;
  }

  /**
   * Creating writes and then looks at the parent; deleting the parent writes and then looks for
   * descendants. Whoever is second sees the other, so that no account is left without its parent.
   */
  async function keepBelow(account: Account, parentId: string): Promise<void> {
    if ((await store.find(parentId)) !== undefined) return;
    await undoCreate(account.id, account.fields);
    await attempt(account.id, 'unroll copy', async () => {
      const copy = await store.findCopy(account.id);
      if (copy !== undefined) await store.removeCopy(copy);
    });
    throw new AppError('not_found', 'the parent was deleted', { subject: parentId });
  }

  /** Saves other public fields of a checked account, moving its claims along. */
  async function change(before: Account, fields: Fields, extra: Fields): Promise<Account> {
    let account: Account;
    try {
      await claims.acquireAll(before.id, fields);
      const doc = toDoc(before.id, before.stored, { fields, private: extra }, now());
      account = fromDoc(await store.save(doc)) as Account;
    } catch (error) {
      await undoClaims(before.id, fields);
      throw error;
    }
    await attempt(before.id, 'claims', async () => {
      await claims.confirmAll(before.id, fields);
      await claims.release(before.id, before.fields, fields);
    });
    return copyOut(account);
  }

  /** POST: other public fields altogether, but realm and timezone stay where none is named. */
  async function replace(
    id: string,
    input: Fields,
    caller: { accountId: string },
    match: Match = noMatch,
  ): Promise<Account> {
    const before = await get(id);
    match(before.revision);
    const { realm, timezone } = { ...defaults(), ...before.fields };
    const { fields, enabled } = await check(id, { realm, timezone, ...settable(input) });
    return change(before, fields, enabledChange(before.tree, enabled, caller.accountId));
  }

  /** PATCH: a merge over the public fields, judged as a whole. */
  async function patch(
    id: string,
    input: Fields,
    options: { recursive: boolean; callerId: string },
    match: Match = noMatch,
  ): Promise<Account> {
    const before = await get(id);
    match(before.revision);
    // Kazoo's documents may show an `enabled` that says nothing; only the request's counts.
    const { enabled: _shown, ...stored } = before.fields;
    const merged = mergePatch(stored as JsonObject, settable(input) as JsonObject, {
      recursive: options.recursive,
    });
    const { fields, enabled } = await check(id, { ...defaults(), ...merged });
    return change(before, fields, enabledChange(before.tree, enabled, options.callerId));
  }

  /** Writes private fields, reading again when another write was first. */
  async function setPrivate(id: string, make: (account: Account) => Fields): Promise<Account> {
    for (let tries = 1; ; tries += 1) {
      const account = await get(id);
      try {
        const saved = await store.save(withPrivate(account, make(account), now()));
        return await copyOut(fromDoc(saved) ?? account);
      } catch (error) {
        if (!hasCode(error, 'conflict') || tries >= SAVE_TRIES) throw error;
      }
    }
  }

  async function refuseDescendants(id: string, count = store.countDescendants): Promise<void> {
    const descendants = (await count([id])).get(id) ?? 0;
    if (descendants === 0) return;
    throw new AppError('conflict', 'account has descendants', {
      reason: 'account_has_descendants',
      details: { holds: [`${descendants} descendant accounts`] },
    });
  }

  async function refuseDeletion(id: string): Promise<void> {
    if (id === (await deps.findMasterId())) {
      throw new AppError('method_not_allowed', 'the master account cannot be deleted');
    }
    await refuseDescendants(id);
    await refuseHolds(deps.participants, id);
  }

  /** Soft: the account's document says it is deleted, and what it held is given back. */
  async function remove(id: string, match: Match = noMatch): Promise<Account> {
    const before = await get(id);
    match(before.revision);
    await refuseDeletion(id);
    const saved = await store.save(withPrivate(before, { pvt_deleted: true }, now()));
    try {
      await refuseDescendants(id, store.recountDescendants);
      await refuseHolds(deps.participants, id);
    } catch (error) {
      const restored = withPrivate({ ...before, stored: saved }, { pvt_deleted: undefined }, now());
      await copyOut(fromDoc(await store.save(restored)) ?? before);
      throw error;
    }
    deps.onChange(id);
    await attempt(id, 'copy', () => store.saveCopy(saved));
    await attempt(id, 'claims', () => claims.release(id, before.stored));
    for (const participant of deps.participants) {
      await attempt(id, participant.name, () => participant.release(id));
    }
    return before;
  }

  return {
    get,
    find: store.find,
    create,
    replace,
    patch,
    remove,
    setPrivate,
    /** Lets the account's people sign in, or not; ends its tokens when not. */
    setEnabled: (id: string, isEnabled: boolean) =>
      setPrivate(id, () => ({ pvt_enabled: isEnabled })),
    setSuperduper: (id: string, isSuperduper: boolean) =>
      setPrivate(id, () => ({ pvt_superduper_admin: isSuperduper })),
    /** Makes the secret that an account's own tokens are signed with, unless there is one. */
    ensureSignatureSecret: (id: string) =>
      setPrivate(id, (account) => ({ pvt_signature_secret: account.signatureSecret ?? newId() })),
  };
}
