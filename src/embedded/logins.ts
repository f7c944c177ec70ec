import { createHash, createHmac, randomBytes } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { isSameSecret } from '../core/constant-time.js';
import type { Databases } from './databases.js';
import { couchError, isMissing } from './errors.js';
import { isPasswordOf, passwordStamp } from './password-hash.js';
import type { PouchDoc } from './pouch.js';
import { rolesOf, USERS_DATABASE, userDocumentId } from './user-documents.js';

/** How long a password that was right is not hashed again. */
const REMEMBERED_MS = 60_000;
const MAX_REMEMBERED = 1000;
/** CouchDB 3.5's `[chttpd_auth_lockout]`: failures of one name from one address, and how long. */
const MAX_FAILURES = 5;
const LOCKED_MS = 5 * 60_000;
const MAX_COUNTED = 10_000;

/** Somebody who is known here. */
export interface Identity {
  readonly name: string;
  readonly roles: readonly string[];
  /** Changes with the password; what was signed with it before is worth nothing then. */
  readonly stamp: string;
}

/** Who may log in: the server admin, and the users of the `_users` database. */
export class Logins {
  readonly #admin: { readonly user: string; readonly password: string };
  readonly #databases: Databases;
  readonly #key = randomBytes(32);
  readonly #hashing = new Map<string, Promise<boolean>>();
  readonly #remembered = new LRUCache<string, true>({ max: MAX_REMEMBERED, ttl: REMEMBERED_MS });
  readonly #failures = new LRUCache<string, number>({ max: MAX_COUNTED, ttl: LOCKED_MS });

  constructor(admin: { user: string; password: string }, databases: Databases) {
    this.#admin = admin;
    this.#databases = databases;
  }

  /**
   * Who the name and password are; undefined when they are wrong, 403 when they were wrong too
   * often. The admin is never locked out: the service itself comes from the same address, so a
   * stranger with a wrong password could stop it.
   */
  async verify(name: string, password: string, address: string): Promise<Identity | undefined> {
    if (name === this.#admin.user) {
      return isSameSecret(password, this.#admin.password) ? this.#adminIdentity() : undefined;
    }
    const user = await this.#findUser(name);
    if (user === undefined) return undefined;
    const counted = JSON.stringify([name, address]);
    if ((this.#failures.get(counted) ?? 0) >= MAX_FAILURES) {
      throw couchError(
        403,
        'forbidden',
        'Account is temporarily locked due to multiple authentication failures',
      );
    }
    const identity = toIdentity(name, user);
    const memory = this.#digest([name, password, identity.stamp]);
    if (this.#remembered.get(memory) === undefined) {
      if (!(await this.#isRight(memory, counted, user, password))) return undefined;
      this.#remembered.set(memory, true);
    }
    return identity;
  }

  /** Callers with the same password share one hashing, so that only guesses add up. */
  async #isRight(
    memory: string,
    counted: string,
    user: PouchDoc,
    password: string,
  ): Promise<boolean> {
    const hashing = this.#hashing.get(memory) ?? this.#hash(memory, counted, user, password);
    this.#hashing.set(memory, hashing);
    return hashing;
  }

  async #hash(memory: string, counted: string, user: PouchDoc, password: string): Promise<boolean> {
    // Counted before it is known, or many guesses at once would all be the first.
    this.#failures.set(counted, (this.#failures.get(counted) ?? 0) + 1);
    try {
      const isRight = await isPasswordOf(user, password);
      if (isRight) this.#failures.set(counted, (this.#failures.get(counted) ?? 1) - 1);
      return isRight;
    } finally {
      this.#hashing.delete(memory);
    }
  }

  /** Who has the name now; for those who proved before that they have it. */
  async find(name: string): Promise<Identity | undefined> {
    if (name === this.#admin.user) return this.#adminIdentity();
    const user = await this.#findUser(name);
    return user === undefined ? undefined : toIdentity(name, user);
  }

  #adminIdentity(): Identity {
    const { user, password } = this.#admin;
    // Without the key of this process: a cookie is to outlive a restart, not a new password.
    const stamp = createHash('sha256').update(password).digest('base64');
    return { name: user, roles: ['_admin'], stamp };
  }

  async #findUser(name: string): Promise<PouchDoc | undefined> {
    if (name === '' || !this.#databases.has(USERS_DATABASE)) return undefined;
    try {
      const id = userDocumentId(name);
      const doc = await this.#databases.use(USERS_DATABASE, ({ pouch }) => pouch.get(id));
      return doc['name'] === name && doc['type'] === 'user' ? doc : undefined;
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  #digest(parts: readonly string[]): string {
    return createHmac('sha256', this.#key).update(JSON.stringify(parts)).digest('base64');
  }
}

/** Roles with an underscore belong to the server, whoever wrote the document. */
function toIdentity(name: string, user: PouchDoc): Identity {
  const roles = rolesOf(user).filter((role) => !role.startsWith('_') || role === '_metrics');
  return { name, roles, stamp: passwordStamp(user) };
}
