import { LRUCache } from 'lru-cache';
import { AppError } from '../core/errors.js';
import { isPrivateField } from '../core/private-fields.js';
import type { SecretBox } from '../core/secret-box.js';
import { databases, systemDatabases, USAGE_PREFIX } from './databases.js';
import { type KeyedValue, listKeyedValues, replaceValues } from './keyed-values.js';
import { isMissingDatabase } from './store-errors.js';
import type { Couch, Database, DatabaseName, SavedDoc, StoredDoc } from './types.js';

/** What was made with one key. */
export interface KeyUse {
  sealed: number;
  /** Digests and hashes, which only whoever knows the secret can make anew. */
  digests: number;
}

/** What a walk through the store has found, and done. */
export interface KeySurvey {
  databases: number;
  documents: number;
  /** Values that were sealed anew, and the documents they stand in. */
  resealed: number;
  rewritten: number;
  /** By key id, as it is after the walk. */
  readonly keys: Map<string, KeyUse>;
  /** Values that look sealed and do not open where they stand; the first hundred by name. */
  strange: number;
  readonly strangeAt: string[];
  /** Documents that could not be written, as others change them all the time; by name. */
  readonly left: string[];
  /** False: it was told to stop before its end. */
  isWhole: boolean;
}

export interface SurveyOptions {
  /** True: what is sealed with another key than the first one is sealed anew. */
  readonly rotate: boolean;
  readonly signal?: AbortSignal;
  readonly onProgress?: (text: string) => void;
}

const BATCH = 200;
/** Answers that are kept to be given again are up to megabytes each. */
const OPS_BATCH = 20;
/** Every conflict is somebody else's write of the document that was just read. */
const TRIES = 10;
const NAMED_MAX = 100;
/** Texts remembered, so that copies of a document stay copies to the letter. */
const REMEMBERED = 20_000;

/** Every database that this service writes; a server may have others. */
async function listOwn(couch: Couch): Promise<readonly DatabaseName[]> {
  const system = new Set<string>(systemDatabases.map(({ name }) => name));
  const isOwn = (name: string) =>
    system.has(name) || name.startsWith('account/') || name.startsWith(USAGE_PREFIX);
  const names = (await couch.listDatabases('')).filter(isOwn);
  // Truths first, so that their copies get the same texts.
  return [...names].sort((a, b) => Number(system.has(b)) - Number(system.has(a)));
}

/**
 * Walks through every document of every database of ours and counts what was made with which key;
 * with `rotate` seals anew with the first key. Each document is one write, naming the revision it
 * was made from, so a walk can be cut off anywhere and a value is never lost or half written; the
 * next walk passes over what is done. Nothing else in a document changes, its stamp neither: it
 * says what it said.
 */
export function createKeyRotation({ couch, box }: { couch: Couch; box: SecretBox }) {
  const made = new LRUCache<string, string>({ max: REMEMBERED });

  function reseal(id: string, { field, text }: KeyedValue): string {
    const known = made.get(text);
    if (known !== undefined) return known;
    const clear = box.open(text, id, field);
    const sealed = box.seal(clear, id, field);
    if (box.open(sealed, id, field) !== clear) {
      throw new AppError('internal', 'a sealed value does not open again', { subject: id });
    }
    made.set(text, sealed);
    return sealed;
  }

  /** The document with what is to be sealed anew, and how much that is. */
  function renew(doc: SavedDoc, values: readonly KeyedValue[]) {
    const old = values.filter(({ kind, kid }) => kind === 'sealed' && kid !== box.primaryKid);
    const changes = old.map((value) => ({ steps: value.steps, text: reseal(doc._id, value) }));
    return { doc: replaceValues(doc, changes), count: changes.length };
  }

  /** Writes one document that somebody else changed meanwhile; false when it cannot be. */
  async function retry(db: Database, id: string): Promise<boolean> {
    for (let tries = 0; tries < TRIES; tries += 1) {
      const doc = await db.find(id);
      if (doc === undefined) return true;
      const { doc: renewed, count } = renew(doc, listKeyedValues(box, doc));
      if (count === 0) return true;
      const [result] = await db.putMany([renewed]);
      if (result?.ok === true) return true;
    }
    return false;
  }

  async function write(db: Database, survey: KeySurvey, docs: readonly StoredDoc[]) {
    if (docs.length === 0) return;
    for (const result of await db.putMany(docs)) {
      if (result.ok || (await retry(db, result.id))) survey.rewritten += 1;
      else survey.left.push(`${db.name}/${result.id}`);
    }
  }

  async function walkBatch(db: Database, docs: readonly SavedDoc[], work: Work) {
    const { survey, options } = work;
    const renewed: StoredDoc[] = [];
    for (const doc of docs) {
      const values = listKeyedValues(box, doc);
      count(survey, `${db.name}/${doc._id}`, values, options.rotate ? box.primaryKid : undefined);
      if (!options.rotate) continue;
      const { doc: next, count: changed } = renew(doc, values);
      if (changed > 0) renewed.push(next);
      survey.resealed += changed;
    }
    survey.documents += docs.length;
    await write(db, survey, renewed);
  }

  async function walk(name: DatabaseName, work: Work): Promise<void> {
    const db = couch.database(name);
    const limit = name === databases.ops ? OPS_BATCH : BATCH;
    let startId = '';
    for (;;) {
      if (work.options.signal?.aborted) {
        work.survey.isWhole = false;
        return;
      }
      const docs = await db.listDocs({ startId, limit });
      await walkBatch(db, docs, work);
      const { documents, resealed } = work.survey;
      work.options.onProgress?.(`${name}: ${documents} documents, ${resealed} values sealed anew`);
      if (docs.length < limit) return;
      startId = `${docs.at(-1)?._id ?? ''}\u0000`;
    }
  }

  return async (options: SurveyOptions): Promise<KeySurvey> => {
    const survey = emptySurvey();
    for (const name of await listOwn(couch)) {
      try {
        await walk(name, { survey, options });
      } catch (error) {
        // A month or an account can be purged while we are at it.
        if (!isMissingDatabase(error)) throw error;
      }
      if (!survey.isWhole) break;
      survey.databases += 1;
    }
    return survey;
  };
}

interface Work {
  readonly survey: KeySurvey;
  readonly options: SurveyOptions;
}

function emptySurvey(): KeySurvey {
  return {
    databases: 0,
    documents: 0,
    resealed: 0,
    rewritten: 0,
    keys: new Map(),
    strange: 0,
    strangeAt: [],
    left: [],
    isWhole: true,
  };
}

/** Counts a document's values; what is sealed counts for `sealedKid` where that is given. */
function count(
  survey: KeySurvey,
  name: string,
  values: readonly KeyedValue[],
  sealedKid: string | undefined,
): void {
  for (const { kind, kid, field, steps } of values) {
    // We seal and digest in private fields alone; what clients write into others may look like it.
    if (kind !== 'sealed' && !isPrivateField(String(steps[0]))) continue;
    if (kind === 'strange') {
      survey.strange += 1;
      if (survey.strangeAt.length < NAMED_MAX) survey.strangeAt.push(`${name} ${field}`);
      continue;
    }
    const key = kind === 'sealed' ? (sealedKid ?? kid) : kid;
    const use = survey.keys.get(key) ?? { sealed: 0, digests: 0 };
    if (kind === 'sealed') use.sealed += 1;
    else use.digests += 1;
    survey.keys.set(key, use);
  }
}
