import { AppError, hasCode } from '../../core/errors.js';
import type { Claim, Claims } from '../../couch/claims.js';
import { databases } from '../../couch/databases.js';
import type { Subscription } from './subscriptions.doc.js';
import { IDENTIFIERS, type IdentifierKind, type LineStore } from './subscriptions.store.js';

/** What identifies a line; null where it has none. */
export type Identifiers = Readonly<Record<IdentifierKind, string | null>>;

const NONE: Identifiers = { mdn: null, sim: null, esn: null };

/** How people call the identifiers. */
const WORDS = { mdn: 'MDN', sim: 'SIM', esn: 'device' } as const satisfies Record<
  IdentifierKind,
  string
>;

/** A number, SIM or device of a line. */
interface Identifier {
  readonly kind: IdentifierKind;
  readonly value: string;
}

/** One that another line has; `holder` where that line can be read. */
interface Taken extends Identifier {
  readonly holder: Pick<Subscription, 'id' | 'accountId'> | undefined;
}

export type LineClaims = ReturnType<typeof createLineClaims>;

/** Numbers, SIMs and devices of lines, each with one line in the world (contract §2). */
export function createLineClaims(deps: { store: LineStore; claims: Claims }) {
  const { store, claims } = deps;

  /** A claim counts while its owner's document is there and says the same. */
  async function isStillHeld({ kind, value, owner }: Claim): Promise<boolean> {
    try {
      return (await store.find(owner.id))?.[kind as IdentifierKind] === value;
    } catch (error) {
      // A document that cannot be read may hold it: somebody has to look at it first.
      if (hasCode(error, 'internal')) return true;
      throw error;
    }
  }

  /** Lines that came by replication or with the demo data may have no claim: the views know. */
  async function findUnclaimed({ kind, value }: Identifier, id: string) {
    const others = (await store.listIds(kind, [value])).filter((other) => other !== id);
    const lines = await store.findMany(others);
    return [...lines.values()].find((line) => line[kind] === value);
  }

  /** The line behind an identifier that is taken, for whoever has to look there. */
  async function findHolder(one: Identifier, lineId: string | undefined): Promise<Taken> {
    const holder =
      lineId === undefined ? undefined : await store.find(lineId).catch(() => undefined);
    return { ...one, holder };
  }

  async function findTaken(one: Identifier, id: string): Promise<Taken | undefined> {
    const claim = await claims.find(one.kind, one.value);
    if (claim !== undefined && claim.owner.id !== id && (await isStillHeld(claim))) {
      return findHolder(one, claim.owner.id);
    }
    const holder = await findUnclaimed(one, id);
    return holder === undefined ? undefined : { ...one, holder };
  }

  /** Undefined when the line has the claim now. */
  async function take(one: Identifier, id: string): Promise<Taken | undefined> {
    const owner = { id, database: databases.subscriptions };
    try {
      await claims.acquire(one.kind, one.value, owner, isStillHeld);
      return undefined;
    } catch (error) {
      if (!hasCode(error, 'conflict') || error.reason !== 'claimed') throw error;
      const other = error.details?.['owner'];
      return findHolder(one, typeof other === 'string' ? other : undefined);
    }
  }

  async function release(id: string, given: Identifiers, kept: Identifiers = NONE): Promise<void> {
    for (const { kind, value } of changesOf(given, kept)) await claims.release(kind, value, id);
  }

  /** Claims and confirms what a stored line has; `conflict` when that is another's by now. */
  async function ensure(id: string, { kind, value }: Identifier): Promise<void> {
    const owner = { id, database: databases.subscriptions };
    await claims.acquire(kind, value, owner, isStillHeld);
    await claims.confirm(kind, value, id);
  }

  return {
    isStillHeld,
    release,

    /** Names in one `conflict` all that the line is to have and another line has. */
    async check(id: string, wanted: Identifiers, had: Identifiers = NONE): Promise<void> {
      const taken: Taken[] = [];
      for (const one of changesOf(wanted, had)) {
        const found = await findTaken(one, id);
        if (found !== undefined) taken.push(found);
      }
      if (taken.length > 0) throw uniqueConflict(taken);
    },

    /**
     * Claims what the line is to have and does not have yet, after {@link check}. The first loss
     * of a race ends the claiming, because whoever has lost must not keep another from winning;
     * the `conflict` names what else is another's by then. What was claimed is the caller's to
     * give back.
     */
    async acquire(id: string, wanted: Identifiers, had: Identifiers = NONE): Promise<void> {
      const taken: Taken[] = [];
      for (const one of changesOf(wanted, had)) {
        const found = await (taken.length === 0 ? take(one, id) : findTaken(one, id));
        if (found !== undefined) taken.push(found);
      }
      if (taken.length > 0) throw uniqueConflict(taken);
    },

    /**
     * The claims hold from now on: the subscription is written. Resolves to the `conflict` with
     * what another line has by now, as can happen to an operation that stood still between claim
     * and write for so long that it counted as dead.
     */
    async confirm(
      id: string,
      wanted: Identifiers,
      had: Identifiers = NONE,
    ): Promise<AppError | undefined> {
      const taken: Taken[] = [];
      for (const one of changesOf(wanted, had)) {
        try {
          await claims.confirm(one.kind, one.value, id);
        } catch (error) {
          if (!hasCode(error, 'conflict')) throw error;
          // Another change of the same line, which came to nothing, may have given it back.
          const found = await take(one, id);
          if (found === undefined) await claims.confirm(one.kind, one.value, id);
          else taken.push(found);
        }
      }
      return taken.length === 0 ? undefined : uniqueConflict(taken);
    },

    ensure,

    /** Gives back what was claimed for a change that failed, unless the line has it by now. */
    async releaseUnheld(id: string, wanted: Identifiers): Promise<void> {
      await release(id, wanted, await store.find(id));
    },
  };
}

function changesOf(wanted: Identifiers, had: Identifiers): Identifier[] {
  return IDENTIFIERS.flatMap((kind) => {
    const value = wanted[kind];
    return value === null || value === had[kind] ? [] : [{ kind, value }];
  });
}

/** Kazoo's words for a value that is in use, and where, under each identifier that is. */
function uniqueConflict(taken: readonly Taken[]): AppError {
  const data = Object.fromEntries(
    taken.map(({ kind, value, holder }) => {
      const where = holder && { account_id: holder.accountId, subscription_id: holder.id };
      return [kind, { unique: { ...usedWords(kind, value), ...where } }];
    }),
  );
  const names = taken.map(({ kind, value }) => `${WORDS[kind]} ${value}`).join(', ');
  return new AppError('conflict', `already in use: ${names}`, { details: { data } });
}

function usedWords(kind: IdentifierKind, value: string) {
  return { message: `the ${WORDS[kind]} is already in use`, cause: value };
}

/** The same for a number alone and without saying where: for whoever may not look there. */
export function numberConflict(mdn: string): AppError {
  const data = { mdn: { unique: usedWords('mdn', mdn) } };
  return new AppError('conflict', `already in use: MDN ${mdn}`, { details: { data } });
}
