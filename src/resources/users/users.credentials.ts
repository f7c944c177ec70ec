import { createHash } from 'node:crypto';
import { isSameSecret } from '../../core/constant-time.js';
import { newId } from '../../core/operation.js';
import type { User } from './users.doc.js';
import type { UserStore } from './users.store.js';

/** The slow hashes of credentials, as `core/credential-hash` makes them. */
export interface CredentialHashes {
  /** The hash to store. */
  hash(accountId: string, credentialHex: string): Promise<string>;
  /** Every hash that may be stored for it. */
  hashes(accountId: string, credentialHex: string): Promise<readonly string[]>;
}

export type CredentialMethod = 'md5' | 'sha';

/** Private fields to save with a user; undefined removes one. */
export type CredentialFields = Readonly<Record<string, string | undefined>>;

const HEX = { md5: /^[0-9a-f]{32}$/, sha: /^[0-9a-f]{40}$/ } as const;

/** The private fields of a user who cannot sign in. */
export const noCredentials: CredentialFields = {
  pvt_md5_auth_digest: undefined,
  pvt_sha1_auth_digest: undefined,
  pvt_md5_auth: undefined,
  pvt_sha1_auth: undefined,
  pvt_signature_secret: undefined,
};

export type UserCredentials = ReturnType<typeof createUserCredentials>;

/** What users sign in with: md5 or sha1 of `user:password`, stored as scrypt of it. */
export function createUserCredentials(deps: { store: UserStore; hashes: CredentialHashes }) {
  const { store, hashes } = deps;

  async function fromHex(accountId: string, md5: string, sha1: string): Promise<CredentialFields> {
    const [md5Digest, sha1Digest] = await Promise.all([
      hashes.hash(accountId, md5),
      hashes.hash(accountId, sha1),
    ]);
    return {
      ...noCredentials,
      pvt_md5_auth_digest: md5Digest,
      pvt_sha1_auth_digest: sha1Digest,
    };
  }

  async function confirm(
    accountId: string,
    ids: readonly string[],
    holds: (user: User) => boolean,
  ): Promise<User | undefined> {
    for (const id of ids) {
      const user = await store.find(accountId, id);
      if (user?.isEnabled && holds(user)) return user;
    }
    return undefined;
  }

  return {
    /** The fields of a new password; the new secret ends the user's tokens. */
    async make(accountId: string, username: string, password: string): Promise<CredentialFields> {
      const input = `${username}:${password}`;
      const md5 = createHash('md5').update(input).digest('hex');
      const sha1 = createHash('sha1').update(input).digest('hex');
      return { ...(await fromHex(accountId, md5, sha1)), pvt_signature_secret: newId() };
    },

    /** Replaces credentials that Kazoo stored in clear; undefined when there are none. */
    async upgrade(user: User): Promise<CredentialFields | undefined> {
      if (user.md5Auth === undefined || user.sha1Auth === undefined) return undefined;
      return {
        ...(await fromHex(user.accountId, user.md5Auth, user.sha1Auth)),
        pvt_signature_secret: user.signatureSecret ?? newId(),
      };
    },

    /** The enabled user of an account that has these credentials (lower-case hex). */
    async findUser(
      accountId: string,
      method: CredentialMethod,
      credentials: string,
    ): Promise<User | undefined> {
      if (!HEX[method].test(credentials)) return undefined;
      const digests = await hashes.hashes(accountId, credentials);
      const held = await confirm(
        accountId,
        await store.findIdsByDigest(accountId, digests),
        (user) =>
          digests.some((digest) =>
            isSameSecret(digest, method === 'md5' ? user.md5Digest : user.sha1Digest),
          ),
      );
      if (held !== undefined) return held;
      return confirm(
        accountId,
        await store.findIdsByClearCredentials(accountId, method, credentials),
        (user) => isSameSecret(credentials, method === 'md5' ? user.md5Auth : user.sha1Auth),
      );
    },
  };
}
