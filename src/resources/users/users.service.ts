import { AppError, hasCode, InvalidError, type Issue } from '../../core/errors.js';
import type { JsonObject } from '../../core/json.js';
import { mergePatch } from '../../core/merge.js';
import { isRepeat, newId, newIdFor } from '../../core/operation.js';
import type { Page, PageRequest } from '../../core/paging.js';
import { validate } from '../../core/validation.js';
import type { UserClaims } from './users.claims.js';
import { type CredentialFields, noCredentials, type UserCredentials } from './users.credentials.js';
import { toDoc, type User } from './users.doc.js';
import { userBody } from './users.schema.js';
import type { ListedUser, UserStore } from './users.store.js';

type Fields = Record<string, unknown>;
export type Match = (revision: string) => void;

/** Who may not manage admins may not make one, nor touch one, be it with a password. */
export interface Rights {
  readonly mayManageAdmins: boolean;
}

/** On what terms a stored user is changed; `match` refuses a revision that was not meant. */
export interface ChangeTerms extends Rights {
  readonly match: Match;
}

export interface UserServiceDeps {
  readonly store: UserStore;
  readonly claims: UserClaims;
  readonly credentials: UserCredentials;
  readonly now: () => number;
  /** This process has saved or deleted the user. */
  readonly onChange: (accountId: string, userId: string) => void;
  /** Told about a step after the commit that failed and is left to `refresh`. */
  readonly onCleanupFailure: (error: unknown, accountId: string, step: string) => void;
}

const GENERATED_NAME_DIGITS = 16;

/** A user's fields, checked, and what becomes of the credentials. */
interface Checked {
  readonly fields: Fields;
  readonly username: string | undefined;
  readonly password: string | undefined;
}

export type UserService = ReturnType<typeof createUserService>;

function issue(path: string[], rule: string, message: string, cause: unknown): Issue {
  return { path, rule, message, details: { cause } };
}

/** The rules of users (kazoo-accounts §3): everything is checked, then saved. */
export function createUserService(deps: UserServiceDeps) {
  const { store, claims, credentials, now } = deps;

  async function get(accountId: string, userId: string): Promise<User> {
    const user = await store.find(accountId, userId);
    if (user === undefined) throw new AppError('not_found', 'no such user', { subject: userId });
    return user;
  }

  /** Kazoo has no such rule; see the decision on differences from Kazoo. */
  function checkRights(rights: Rights, before: User | undefined, wanted: Fields): void {
    if (rights.mayManageAdmins) return;
    if (before?.isAdmin || wanted['priv_level'] === 'admin') {
      throw new AppError('forbidden', 'only an admin may manage admins');
    }
  }

  async function hotdeskIssues(accountId: string, userId: string, fields: Fields) {
    const hotdesk = fields['hotdesk'] as { id?: unknown } | undefined;
    if (typeof hotdesk?.id !== 'string' || hotdesk.id === '') return [];
    const ids = await store.findIdsByHotdeskId(accountId, hotdesk.id);
    if (ids.every((id) => id === userId)) return [];
    const message = 'Hotdesk ID must be unique within account';
    return [issue(['hotdesk', 'id'], 'unique', message, hotdesk.id)];
  }

  async function nameIssues(
    ids: { accountId: string; userId: string },
    before: User | undefined,
    checked: Checked,
  ): Promise<Issue[]> {
    const { username, password } = checked;
    if (username === undefined) return [];
    const issues: Issue[] = [];
    if (username !== before?.username && password === undefined) {
      const message = 'The password must be provided when creating / updating the user name';
      issues.push(issue(['password'], 'required', message, username));
    }
    if (await claims.isTaken(ids.accountId, username, ids.userId)) {
      issues.push(claims.uniqueIssue(username));
    }
    return issues;
  }

  /** The whole schema, then uniqueness; all faults together. */
  async function check(
    ids: { accountId: string; userId: string },
    before: User | undefined,
    input: Fields,
  ): Promise<Checked> {
    const issues: Issue[] = [];
    let fields: Fields = input;
    try {
      fields = validate(userBody, input);
    } catch (error) {
      if (!(error instanceof InvalidError)) throw error;
      issues.push(...error.issues);
    }
    const { password, id: _id, ...rest } = fields;
    const named = typeof rest['username'] === 'string' ? rest['username'].toLowerCase() : undefined;
    const isGenerated = named === undefined && typeof password === 'string';
    const username = isGenerated
      ? `user_${newIdFor('username').slice(0, GENERATED_NAME_DIGITS)}`
      : named;
    const checked: Checked = {
      fields: username === undefined ? rest : { ...rest, username },
      username,
      password: typeof password === 'string' ? password : undefined,
    };
    const faulty = new Set(issues.map((each) => each.path[0]));
    if (!faulty.has('username')) issues.push(...(await nameIssues(ids, before, checked)));
    if (!faulty.has('hotdesk')) {
      issues.push(...(await hotdeskIssues(ids.accountId, ids.userId, rest)));
    }
    if (issues.length > 0) throw new InvalidError(issues);
    return checked;
  }

  /** Kazoo's table of what happens to the credentials (kazoo-accounts §3.3). */
  async function credentialFields(accountId: string, checked: Checked): Promise<CredentialFields> {
    const { username, password } = checked;
    if (username === undefined) return noCredentials;
    return password === undefined ? {} : credentials.make(accountId, username, password);
  }

  /** The one place that writes a user. */
  async function write(
    ids: { accountId: string; userId: string },
    before: User | undefined,
    fields: Fields,
    secrets: CredentialFields,
  ): Promise<User | undefined> {
    const doc = toDoc(ids, before?.stored, fields, secrets, now());
    const user = await store.save(ids.accountId, doc);
    deps.onChange(ids.accountId, ids.userId);
    return user;
  }

  async function save(
    ids: { accountId: string; userId: string },
    before: User | undefined,
    checked: Checked,
  ): Promise<User> {
    const { accountId, userId } = ids;
    const secrets = await credentialFields(accountId, checked);
    let user: User | undefined;
    try {
      await claims.acquire(accountId, userId, checked.username);
      user = await write(ids, before, checked.fields, secrets);
    } catch (error) {
      // The answer may have been lost, or another change have been first: the document tells.
      await attempt(accountId, async () => {
        const current = await store.find(accountId, userId);
        await claims.release(accountId, userId, checked.username, current?.username);
      });
      throw error;
    }
    await attempt(accountId, async () => {
      await claims.confirm(accountId, userId, checked.username);
      await claims.release(accountId, userId, before?.username, checked.username);
    });
    return user as User;
  }

  async function attempt(accountId: string, run: () => Promise<void>): Promise<void> {
    try {
      await run();
    } catch (error) {
      deps.onCleanupFailure(error, accountId, 'user name claim');
    }
  }

  return {
    get,
    find: store.find,

    async create(accountId: string, input: Fields, rights: Rights): Promise<User> {
      checkRights(rights, undefined, input);
      const ids = { accountId, userId: newIdFor('user') };
      const earlier = isRepeat() ? await store.find(accountId, ids.userId) : undefined;
      if (earlier !== undefined) {
        // An earlier run that was cut off came this far; its claim may not be confirmed.
        await attempt(accountId, () => claims.confirm(accountId, earlier.id, earlier.username));
        return earlier;
      }
      return save(ids, undefined, await check(ids, undefined, input));
    },

    /** POST: other public fields altogether. */
    async replace(
      ids: { accountId: string; userId: string },
      input: Fields,
      terms: ChangeTerms,
    ): Promise<User> {
      const before = await get(ids.accountId, ids.userId);
      checkRights(terms, before, input);
      terms.match(before.revision);
      return save(ids, before, await check(ids, before, input));
    },

    /** PATCH: a merge over the public fields, judged as a whole. */
    async patch(
      ids: { accountId: string; userId: string },
      input: Fields,
      terms: ChangeTerms & { readonly recursive: boolean },
    ): Promise<User> {
      const before = await get(ids.accountId, ids.userId);
      const merged = mergePatch(before.fields as JsonObject, input as JsonObject, terms);
      checkRights(terms, before, merged);
      terms.match(before.revision);
      return save(ids, before, await check(ids, before, merged));
    },

    /** Soft, as Kazoo; the user name is free again. */
    async remove(ids: { accountId: string; userId: string }, terms: ChangeTerms): Promise<User> {
      const before = await get(ids.accountId, ids.userId);
      checkRights(terms, before, {});
      terms.match(before.revision);
      const secrets = { ...noCredentials, pvt_deleted: true as unknown as string };
      await write(ids, before, before.fields, secrets);
      await attempt(ids.accountId, () =>
        claims.release(ids.accountId, ids.userId, before.username, undefined),
      );
      return before;
    },

    list: (accountId: string, page: PageRequest): Promise<Page<ListedUser>> =>
      store.list(accountId, page),

    /**
     * The user that signs in with these credentials. Credentials that Kazoo stored in clear are
     * replaced by their hashes on the way.
     */
    async signIn(
      accountId: string,
      method: 'md5' | 'sha',
      presented: string,
    ): Promise<User | undefined> {
      const user = await credentials.findUser(accountId, method, presented);
      if (user === undefined) return undefined;
      const missing =
        user.signatureSecret === undefined ? { pvt_signature_secret: newId() } : undefined;
      const change = (await credentials.upgrade(user)) ?? missing;
      if (change === undefined) return user;
      const ids = { accountId, userId: user.id };
      try {
        return await write(ids, user, user.fields, change);
      } catch (error) {
        // Two sign-ins at once upgrade the same user; whoever was second finds it done.
        if (hasCode(error, 'conflict')) return store.find(accountId, user.id);
        throw error;
      }
    },

    /** Gives a user another password, which ends the user's tokens; for maintenance. */
    async setPassword(accountId: string, username: string, password: string): Promise<User> {
      for (const id of await store.findIdsByUsername(accountId, username)) {
        const user = await store.find(accountId, id);
        if (user?.username !== username.toLowerCase()) continue;
        const secrets = await credentials.make(accountId, user.username, password);
        const ids = { accountId, userId: id };
        const fields = { ...user.fields, enabled: true };
        return (await write(ids, user, fields, secrets)) as User;
      }
      throw new AppError('not_found', 'no such user', { subject: username });
    },
  };
}
