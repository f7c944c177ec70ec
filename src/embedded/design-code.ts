import { createHash } from 'node:crypto';
import { isJsonObject } from '../core/json.js';
import { couchError } from './errors.js';
import {
  LINES_PER_CHUNK,
  MAX_RESULT_CHARS,
  type UserCode,
  type UserFunction,
} from './user-code-messages.js';
import type { UserCodePool, UserCodeRequest } from './user-code-pool.js';

const MAX_MODULES = 200;

/** Pairs of key and value that a map emitted for one document. */
export type Emitted = readonly (readonly [unknown, unknown])[];

/** What a validation function said against a document: nothing, or why not. */
export interface Refusal {
  readonly forbidden?: unknown;
  readonly unauthorized?: unknown;
  readonly error?: string;
  readonly reason?: string;
}

/** Functions of one design document of one database, run in the processes for user code. */
export class DesignCode {
  readonly #pool: UserCodePool;
  readonly #owner: string;
  readonly #code: UserCode;
  readonly #key: string;

  /** `owner` keeps databases apart: globals that functions leave behind are not shared by them. */
  constructor(pool: UserCodePool, owner: string, code: UserCode) {
    this.#pool = pool;
    this.#owner = owner;
    this.#code = code;
    const text = JSON.stringify([owner, code.functions, code.modules]);
    this.#key = createHash('sha256').update(text).digest('hex');
  }

  /** Rejects with `compilation_error` when a function does not compile. */
  async check(): Promise<void> {
    if (this.#code.functions.length > 0) await this.#run('check', '', [], []);
  }

  /** What the maps emit: for every document, for every map. */
  async map(docs: readonly object[]): Promise<readonly (readonly Emitted[])[]> {
    const lines = docs.map((doc) => JSON.stringify(doc));
    return (await this.#run('map', '', [], lines)) as readonly (readonly Emitted[])[];
  }

  /** The result of a reduce function for each group; null where it throws, as in CouchDB. */
  reduce(
    view: string,
    groups: readonly { readonly keys: readonly unknown[]; readonly values: readonly unknown[] }[],
  ): Promise<readonly unknown[]> {
    const lines = groups.flatMap(({ keys, values }) => [
      JSON.stringify(keys),
      JSON.stringify(values),
    ]);
    return this.#run('reduce', view, [], lines);
  }

  /** Which documents a filter function lets through. */
  async filter(
    name: string,
    docs: readonly object[],
    request: object,
  ): Promise<readonly boolean[]> {
    const lines = docs.map((doc) => JSON.stringify(doc));
    const passed = await this.#run('filter', name, [JSON.stringify(request)], lines);
    return passed.map((passes) => passes === true);
  }

  /**
   * What the validation function says of each new document with its predecessor; given up when the
   * signal aborts.
   */
  async validate(
    documents: readonly (readonly [newDoc: object, oldDoc: object | null])[],
    userContext: object,
    security: object,
    signal?: AbortSignal,
  ): Promise<readonly (Refusal | null)[]> {
    const head = [JSON.stringify(userContext), JSON.stringify(security)];
    const lines = documents.flat().map((doc) => JSON.stringify(doc));
    const request = this.#request('validate', 'validate_doc_update', head, lines);
    const results = (await this.#pool.run(request, signal)).flatMap(parseResults);
    return results.map((result) => (isJsonObject(result) ? result : null));
  }

  /** Many short jobs, between which those of other databases have their turns. */
  async #run(
    operation: UserCodeRequest['operation'],
    name: string,
    head: readonly string[],
    lines: readonly string[],
  ): Promise<readonly unknown[]> {
    const results: unknown[] = [];
    let size = 0;
    for (let from = 0; from === 0 || from < lines.length; from += LINES_PER_CHUNK) {
      const chunk = lines.slice(from, from + LINES_PER_CHUNK);
      const texts = await this.#pool.run(this.#request(operation, name, head, chunk));
      for (const text of texts) {
        size += text.length;
        if (size > MAX_RESULT_CHARS) throw brokenCode('The functions gave too much.');
        results.push(...parseResults(text));
      }
    }
    return results;
  }

  #request(
    operation: UserCodeRequest['operation'],
    name: string,
    head: readonly string[],
    lines: readonly string[],
  ): UserCodeRequest {
    // A check runs the code around the functions only; what it says holds for nothing else.
    const key = operation === 'check' ? `check ${this.#key}` : this.#key;
    return { owner: this.#owner, key, code: this.#code, operation, name, head, lines };
  }
}

const brokenCode = (reason: string) => couchError(500, 'os_process_error', reason);

/** Functions may break what writes the results, so these are checked. */
function parseResults(text: string): readonly unknown[] {
  try {
    const results: unknown = JSON.parse(text);
    if (Array.isArray(results)) return results;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw brokenCode('The functions gave no JSON.');
}

/** The texts of a design document that its functions can `require`, when any of them does. */
export function readModules(
  doc: Readonly<Record<string, unknown>>,
  functions: readonly UserFunction[],
): UserCode['modules'] {
  if (!functions.some(({ source }) => source.includes('require'))) return [];
  const modules: [string, string][] = [];
  const collect = (value: unknown, path: string): void => {
    if (modules.length >= MAX_MODULES) return;
    if (typeof value === 'string' && path !== '') modules.push([path, value]);
    if (!isJsonObject(value)) return;
    for (const [name, inner] of Object.entries(value)) {
      if (!name.startsWith('_')) collect(inner, path === '' ? name : `${path}/${name}`);
    }
  };
  collect(doc, '');
  return modules;
}
