import { AppError } from '../core/errors.js';
import { checkDesign } from './design.js';
import { DesignCode, type Refusal, readModules } from './design-code.js';
import { couchError, describeError } from './errors.js';
import type { PouchDatabase, PouchDoc, PouchWrite } from './pouch.js';
import { findPredecessor } from './predecessor.js';
import { isDatabaseAdmin } from './security.js';
import type { UserCodePool } from './user-code-pool.js';
import { isServerAdmin, type UserContext } from './user-context.js';
import { checkUserDocument, hashUserPassword, USERS_DATABASE } from './user-documents.js';

export interface WriteGuardOptions {
  readonly name: string;
  readonly owner: string;
  readonly pouch: PouchDatabase;
  readonly pool: UserCodePool;
  /** The security object as it is now. */
  readonly security: () => Readonly<Record<string, unknown>>;
}

/** A revision with a history of its own choice might be one that takes its rights back. */
const AS_IS = 'Only server admins may write revisions of users as they are.';

/** What keeps single documents of a write out, by their place in it. */
type Refusals = Map<number, AppError>;

/**
 * Stands between writes and the documents of one database: design documents are for its admins and
 * must be sound, user documents have rules of their own, and every `validate_doc_update` has a
 * say. Where there is something to ask, writes go one after the other, so that a function sees the
 * very revision that the write replaces.
 */
export class WriteGuard {
  readonly #options: WriteGuardOptions;
  #validators: Promise<readonly DesignCode[]> | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: WriteGuardOptions) {
    this.#options = options;
  }

  /** Writes what is allowed; the answer has an entry of each document, in their order. */
  async write(
    docs: readonly PouchDoc[],
    newEdits: boolean,
    user: UserContext,
  ): Promise<readonly PouchWrite[]> {
    if (this.#isUsers && !newEdits && !isServerAdmin(user))
      throw couchError(403, 'forbidden', AS_IS);
    const refusals: Refusals = new Map();
    const prepared = await this.#prepare(docs, refusals);
    const hasDesign = docs.some(isDesign);
    const isGuarded = hasDesign || this.#isUsers || (await this.#load()).length > 0;
    if (!isGuarded) return this.#put(prepared, newEdits, refusals);
    return this.#inTurn(async () => {
      // Whoever waited in vain may have tried again; the turn is for those who still wait.
      if (user.left?.aborted) throw couchError(503, 'service_unavailable', 'The caller has gone.');
      await this.#checkDesigns(prepared, user, refusals);
      await this.#validate(prepared, newEdits, user, refusals);
      try {
        return await this.#put(prepared, newEdits, refusals);
      } finally {
        if (hasDesign) this.#validators = undefined;
      }
    });
  }

  /** Forgets the validation functions, after a change of design documents on another way. */
  forget(): void {
    this.#validators = undefined;
  }

  get #isUsers(): boolean {
    return this.#options.name === USERS_DATABASE;
  }

  async #prepare(docs: readonly PouchDoc[], refusals: Refusals): Promise<readonly PouchDoc[]> {
    if (!this.#isUsers) return docs;
    const prepared: PouchDoc[] = [];
    for (const [n, doc] of docs.entries()) {
      prepared.push(
        await hashUserPassword(doc).catch((error: unknown) => {
          refusals.set(n, toRefusal(error));
          return doc;
        }),
      );
    }
    return prepared;
  }

  async #checkDesigns(
    docs: readonly PouchDoc[],
    user: UserContext,
    refusals: Refusals,
  ): Promise<void> {
    const { owner, pool, security } = this.#options;
    const isAllowed = isDatabaseAdmin(security(), user);
    for (const [n, doc] of docs.entries()) {
      if (!isDesign(doc)) continue;
      if (!isAllowed) {
        const reason = 'You are not a db or server admin.';
        refusals.set(n, couchError(403, 'forbidden', reason));
      } else if (doc._deleted !== true) {
        await checkDesign(doc, owner, pool).catch((error: unknown) => {
          refusals.set(n, toRefusal(error));
        });
      }
    }
  }

  async #validate(
    docs: readonly PouchDoc[],
    newEdits: boolean,
    user: UserContext,
    refusals: Refusals,
  ): Promise<void> {
    const validators = await this.#load();
    if (validators.length === 0 && !this.#isUsers) return;
    const { name, pouch, security } = this.#options;
    const pending = new Map<number, readonly [PouchDoc, PouchDoc | null]>();
    for (const [n, doc] of docs.entries()) {
      if (isDesign(doc) || refusals.has(n)) continue;
      const before = await findPredecessor(pouch, doc, newEdits);
      if (before === undefined) continue;
      const fault = this.#isUsers ? checkUserDocument(doc, before, user, security()) : undefined;
      if (fault === undefined) pending.set(n, [presentNew(doc), before]);
      else refusals.set(n, fault);
    }
    const context = { db: name, name: user.name, roles: user.roles };
    for (const validator of validators) {
      const places = [...pending.keys()];
      if (places.length === 0) return;
      const verdicts = await validator
        .validate([...pending.values()], context, security(), user.left)
        .catch((error: unknown) => toServerFault(toRefusal(error)));
      for (const [at, place] of places.entries()) {
        const verdict = verdicts instanceof AppError ? verdicts : describe(verdicts[at]);
        if (verdict === undefined) continue;
        refusals.set(place, verdict);
        pending.delete(place);
      }
    }
  }

  /** Writes the rest and puts the refusals where their documents were. */
  async #put(
    docs: readonly PouchDoc[],
    newEdits: boolean,
    refusals: Refusals,
  ): Promise<readonly PouchWrite[]> {
    const { pouch } = this.#options;
    const allowed = docs.filter((_, n) => !refusals.has(n));
    const written =
      allowed.length === 0 ? [] : await pouch.bulkDocs([...allowed], { new_edits: newEdits });
    if (refusals.size === 0) return written;
    const refused = (n: number): PouchWrite[] => {
      const refusal = refusals.get(n);
      const doc = docs[n];
      if (refusal === undefined || doc === undefined) return [];
      const rev = doc._rev === undefined ? {} : { rev: doc._rev };
      const { message } = refusal;
      return [{ error: true, id: doc._id, ...rev, status: 0, name: '', message, refusal }];
    };
    // Without new revisions PouchDB tells of failures only.
    if (!newEdits) return [...docs.keys()].flatMap(refused).concat(written);
    let next = 0;
    return [...docs.keys()].flatMap((n) => {
      if (refusals.has(n)) return refused(n);
      const result = written[next];
      next += 1;
      return result === undefined ? [] : [result];
    });
  }

  #load(): Promise<readonly DesignCode[]> {
    this.#validators ??= this.#read().catch((error: unknown) => {
      this.#validators = undefined;
      throw error;
    });
    return this.#validators;
  }

  async #read(): Promise<readonly DesignCode[]> {
    const { owner, pool, pouch } = this.#options;
    const { rows } = await pouch.allDocs({
      startkey: '_design/',
      endkey: '_design0',
      include_docs: true,
    });
    return rows.flatMap(({ doc }) => {
      const source = doc?.['validate_doc_update'];
      if (doc === undefined || typeof source !== 'string') return [];
      const what = 'validate_doc_update function';
      const functions = [{ kind: 'validate', name: 'validate_doc_update', source, what }] as const;
      return [new DesignCode(pool, owner, { functions, modules: readModules(doc, functions) })];
    });
  }

  #inTurn<T>(run: () => Promise<T>): Promise<T> {
    const next = this.#turn.then(run);
    this.#turn = next.catch(() => undefined);
    return next;
  }
}

function isDesign(doc: PouchDoc): boolean {
  return doc._id.startsWith('_design/');
}

/** Attachments stand as stubs, because a function has no use for their data. */
function presentNew(doc: PouchDoc): PouchDoc {
  if (doc._attachments === undefined) return doc;
  const stubs = Object.entries(doc._attachments).map(([name, { data, ...attachment }]) => {
    const length = data === undefined ? {} : { length: Buffer.byteLength(String(data), 'base64') };
    return [name, { revpos: 0, ...attachment, ...length, stub: true }] as const;
  });
  return { ...doc, _attachments: Object.fromEntries(stubs) };
}

function describe(verdict: Refusal | null | undefined): AppError | undefined {
  if (verdict === null || verdict === undefined) return undefined;
  const { forbidden, unauthorized, error, reason } = verdict;
  if (forbidden !== undefined) return couchError(403, 'forbidden', toText(forbidden));
  if (unauthorized !== undefined) return couchError(401, 'unauthorized', toText(unauthorized));
  return couchError(500, error ?? 'unknown_error', reason ?? 'The validation function failed.');
}

function toText(reason: unknown): string {
  return typeof reason === 'string' ? reason : JSON.stringify(reason);
}

/** A function that does not compile is no fault of who writes a document. */
function toServerFault(refusal: AppError): AppError {
  const { reason = 'error', message } = refusal;
  return reason === 'compilation_error' ? couchError(500, reason, message) : refusal;
}

/** A foreseen failure as the refusal of a document. */
function toRefusal(error: unknown): AppError {
  const shown = describeError(error);
  if (!(error instanceof AppError) || shown === undefined) throw error;
  return error;
}
