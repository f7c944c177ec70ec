import { databases } from '../../couch/databases.js';
import { stamp } from '../../couch/doc.js';
import type { Couch, SavedDoc } from '../../couch/types.js';

/** A pair of RSA keys as it is stored: the private one sealed. */
export interface StoredKeyPair {
  readonly kid: string;
  readonly publicPem: string;
  readonly sealedPrivatePem: string;
}

const SIGNING_KEY = 'signing_key';

function fromDoc(doc: SavedDoc): StoredKeyPair | undefined {
  const { pvt_public_key: publicPem, pvt_private_key: sealedPrivatePem } = doc;
  if (doc['pvt_type'] !== SIGNING_KEY) return undefined;
  if (typeof publicPem !== 'string' || typeof sealedPrivatePem !== 'string') return undefined;
  return { kid: doc._id, publicPem, sealedPrivatePem };
}

export type SigningKeyStore = ReturnType<typeof createSigningKeyStore>;

/** The keys that tokens are signed with, in `system_auth` (contract §3). */
export function createSigningKeyStore(deps: { couch: Couch; now: () => number }) {
  const database = deps.couch.database(databases.systemAuth);
  return {
    async find(kid: string): Promise<StoredKeyPair | undefined> {
      const doc = await database.find(kid);
      return doc === undefined ? undefined : fromDoc(doc);
    },

    async create(pair: StoredKeyPair): Promise<void> {
      await database.put({
        _id: pair.kid,
        ...stamp(undefined, { type: SIGNING_KEY, nowMs: deps.now() }),
        pvt_public_key: pair.publicPem,
        pvt_private_key: pair.sealedPrivatePem,
      });
    },

    async remove(kid: string): Promise<void> {
      const doc = await database.find(kid);
      if (doc !== undefined) await database.remove(doc);
    },
  };
}
