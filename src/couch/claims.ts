import { AppError, hasCode } from '../core/errors.js';
import { fromGregorian } from '../core/gregorian.js';
import { databases } from './databases.js';
import { stamp } from './doc.js';
import { isSafeId } from './safe-id.js';
import type { Couch, Database, SavedDoc, StoredDoc } from './types.js';

/**
 * How long a claim may stay pending before others may ask whether its owner was ever written:
 * longer than any request takes between claiming a value and writing the document that needs it.
 */
export const PENDING_CLAIM_MS = 60_000;

const ATTEMPTS = 8;
const TOMBSTONE_FIELDS = ['pvt_kind', 'pvt_value', 'pvt_owner', 'pvt_owner_db'];
const KIND = /^[a-z][a-z0-9_]*$/;

export interface ClaimOwner {
  /** The id of the document that holds the value. */
  readonly id: string;
  /** The database that document is in. */
  readonly database: string;
}

/** One unique value and who has it. */
export interface Claim {
  readonly kind: string;
  readonly value: string;
  /** `pending` from the claim until the owner document is written. */
  readonly state: 'pending' | 'held';
  readonly owner: ClaimOwner;
  /** Gregorian seconds. */
  readonly created: number;
  readonly modified: number;
  readonly revision: string;
}

/**
 * Uniqueness across documents and databases (contract §2): the value is part of an `_id`, the only
 * unique thing CouchDB has. Claim first, write the owner document, then confirm; release when the
 * owner gives the value up.
 */
export interface Claims {
  /**
   * Claims a value. The same owner may ask again. Another owner's claim is taken over only when it
   * is no fresh pending one and `isStillHeld` says that the owner document no longer holds the
   * value; otherwise `conflict` with reason `claimed` and the owner's id in `details.owner`.
   */
  acquire(
    kind: string,
    value: string,
    owner: ClaimOwner,
    isStillHeld: (claim: Claim) => Promise<boolean>,
  ): Promise<Claim>;
  /** The owner document is written. `conflict` with reason `claim_lost` when it is not ours. */
  confirm(kind: string, value: string, ownerId: string): Promise<void>;
  /** Gives the value up; does nothing when the claim is not that owner's. */
  release(kind: string, value: string, ownerId: string): Promise<void>;
  /** Gives a value up unless its claim has changed since it was read; false when it has. */
  releaseRead(claim: Claim): Promise<boolean>;
  find(kind: string, value: string): Promise<Claim | undefined>;
  /** Claims in id order, of one kind or all; `startId` is a claim's document id. */
  list(query: { kind?: string; limit: number; startId?: string }): Promise<readonly Claim[]>;
}

export interface ClaimsOptions {
  readonly couch: Couch;
  /** Unix milliseconds. */
  readonly now: () => number;
}

/** Opens the claims; see {@link Claims} for what each call promises. */
export function createClaims({ couch, now }: ClaimsOptions): Claims {
  const db = couch.database(databases.claims);

  async function acquire(
    kind: string,
    value: string,
    owner: ClaimOwner,
    isStillHeld: (claim: Claim) => Promise<boolean>,
  ): Promise<Claim> {
    return retried(async () => {
      const before = await db.find(claimId(kind, value));
      if (before !== undefined) {
        const claim = fromDoc(before);
        if (claim.owner.id === owner.id && claim.state === 'held') return claim;
        const free = claim.owner.id === owner.id || (await isFree(claim, isStillHeld));
        if (!free) throw claimed(claim);
      }
      const doc = toDoc({ kind, value, owner, state: 'pending' }, before, now());
      const saved = await db.put(doc);
      const current = (await db.confirm([saved])).get(saved._id);
      // Another node or cluster took somebody else's; it wins, and ours has been taken back.
      if (current?._rev !== saved._rev) throw overtaken(saved._id);
      return fromDoc(saved);
    });
  }

  /** A pending claim that is young may be somebody who is about to write the owner document. */
  async function isFree(
    claim: Claim,
    isStillHeld: (claim: Claim) => Promise<boolean>,
  ): Promise<boolean> {
    const ageMs = now() - fromGregorian(claim.modified);
    if (claim.state === 'pending' && ageMs < PENDING_CLAIM_MS) return false;
    return !(await isStillHeld(claim));
  }

  async function confirm(kind: string, value: string, ownerId: string): Promise<void> {
    await retried(async () => {
      const doc = await db.find(claimId(kind, value));
      const claim = doc === undefined ? undefined : fromDoc(doc);
      if (doc === undefined || claim?.owner.id !== ownerId) {
        throw new AppError('conflict', `the ${kind} is no longer claimed for this`, {
          subject: value,
          reason: 'claim_lost',
        });
      }
      if (claim.state === 'held') return;
      await db.put(toDoc({ ...claim, state: 'held' }, doc, now()));
    });
  }

  async function release(kind: string, value: string, ownerId: string): Promise<void> {
    await retried(async () => {
      const doc = await db.find(claimId(kind, value));
      if (doc === undefined || fromDoc(doc).owner.id !== ownerId) return;
      await db.remove(doc, TOMBSTONE_FIELDS);
    });
  }

  async function releaseRead(claim: Claim): Promise<boolean> {
    const doc = await db.find(claimId(claim.kind, claim.value));
    if (doc?._rev !== claim.revision) return false;
    try {
      await db.remove(doc, TOMBSTONE_FIELDS);
      return true;
    } catch (error) {
      if (hasCode(error, 'conflict')) return false;
      throw error;
    }
  }

  return {
    acquire,
    confirm,
    release,
    releaseRead,
    async find(kind, value) {
      const doc = await db.find(claimId(kind, value));
      return doc === undefined ? undefined : fromDoc(doc);
    },
    list: (query) => listClaims(db, query),
  };
}

async function listClaims(
  db: Database,
  { kind, limit, startId }: { kind?: string; limit: number; startId?: string },
): Promise<readonly Claim[]> {
  const first = startId ?? (kind === undefined ? undefined : `${kind}:`);
  const docs = await db.listDocs({
    limit,
    ...(first === undefined ? {} : { startId: first }),
    ...(kind === undefined ? {} : { endId: `${kind}:\ufff0` }),
  });
  return docs.map(fromDoc);
}

/**
 * `<kind>:<value>`. Characters that an id must not have are percent-encoded, and the percent sign
 * with them, so that two values never share an id. `invalid` for a value that no id can hold.
 */
export function claimId(kind: string, value: string): string {
  if (!KIND.test(kind)) throw new AppError('internal', `not a kind of claim: ${kind}`);
  const id = `${kind}:${encodeValue(value)}`;
  if (!isClaimable(kind, value)) {
    throw new AppError('invalid', `not a value that can be unique: ${kind}`, { subject: value });
  }
  return id;
}

/** Whether there can be a claim of that value. */
export function isClaimable(kind: string, value: string): boolean {
  return value !== '' && isSafeId(`${kind}:${encodeValue(value)}`);
}

function encodeValue(value: string): string {
  try {
    return encodeURIComponent(value).replace(/%(?:40|3A|2B|2C)/g, decodeURIComponent);
  } catch {
    // A lone surrogate: nothing that could be stored, so the caller's check of the id refuses it.
    return value;
  }
}

/** Runs again what another write overtook; each run starts from what is stored by then. */
async function retried<T>(run: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await run();
    } catch (error) {
      const isOvertaken = hasCode(error, 'conflict') && error.reason === 'conflict';
      if (!isOvertaken || attempt === ATTEMPTS) throw error;
    }
  }
}

function overtaken(id: string): AppError {
  return new AppError('conflict', 'another write was first', { subject: id, reason: 'conflict' });
}

function claimed(claim: Claim): AppError {
  return new AppError('conflict', `the ${claim.kind} is taken`, {
    subject: claim.value,
    reason: 'claimed',
    details: { owner: claim.owner.id },
  });
}

function fromDoc(doc: SavedDoc): Claim {
  const { pvt_kind: kind, pvt_value: value, pvt_state: state } = doc;
  const { pvt_owner: id, pvt_owner_db: database } = doc;
  const { pvt_created: created, pvt_modified: modified } = doc;
  if (
    doc['pvt_type'] !== 'claim' ||
    typeof kind !== 'string' ||
    typeof value !== 'string' ||
    (state !== 'pending' && state !== 'held') ||
    typeof id !== 'string' ||
    typeof database !== 'string' ||
    typeof created !== 'number' ||
    typeof modified !== 'number'
  ) {
    throw new AppError('internal', 'not a claim of ours', { subject: doc._id });
  }
  const revision = doc._rev;
  return { kind, value, state, owner: { id, database }, created, modified, revision };
}

function toDoc(
  claim: Pick<Claim, 'kind' | 'value' | 'state' | 'owner'>,
  before: SavedDoc | undefined,
  nowMs: number,
): StoredDoc {
  return {
    ...(before ?? {}),
    _id: claimId(claim.kind, claim.value),
    ...stamp(before, { type: 'claim', nowMs }),
    pvt_kind: claim.kind,
    pvt_value: claim.value,
    pvt_state: claim.state,
    pvt_owner: claim.owner.id,
    pvt_owner_db: claim.owner.database,
  };
}

const BATCH = 500;

/** Every claim of a kind, in the order of their ids. */
export async function* eachClaim(claims: Claims, kind: string): AsyncGenerator<Claim> {
  let startId: string | undefined;
  for (;;) {
    const start = startId === undefined ? {} : { startId };
    const page = await claims.list({ kind, limit: BATCH, ...start });
    yield* page;
    const last = page.at(-1);
    if (page.length < BATCH || last === undefined) return;
    startId = `${claimId(kind, last.value)}\u0000`;
  }
}

/**
 * Releases the claims of a kind that no document needs: what a process leaves that is killed
 * between two writes. Fresh pending claims stay, as their operation may still run. How many.
 */
export async function releaseOrphanClaims(
  claims: Claims,
  kind: string,
  isStillHeld: (claim: Claim) => Promise<boolean>,
  nowMs: number = Date.now(),
): Promise<number> {
  let released = 0;
  for await (const claim of eachClaim(claims, kind)) {
    const ageMs = nowMs - fromGregorian(claim.modified);
    if (claim.state === 'pending' && ageMs < PENDING_CLAIM_MS) continue;
    if (await isStillHeld(claim)) continue;
    // Its owner may have claimed it again while we looked; then it is left alone.
    if (await claims.releaseRead(claim)) released += 1;
  }
  return released;
}
