import { badRequest, queryError } from './errors.js';

/** A parameter as it came: text of a query string, or a JSON value of a POST body. */
export type Raw = { readonly text: string } | { readonly json: unknown };

/**
 * The parameters of a request, those of the query string first and those of a JSON body over them,
 * read one by one with CouchDB's own complaints.
 */
export class Parameters {
  readonly #values = new Map<string, Raw>();

  constructor(query: URLSearchParams, body: Readonly<Record<string, unknown>> = {}) {
    for (const [name, text] of query) this.#values.set(name, { text });
    for (const [name, json] of Object.entries(body)) this.#values.set(name, { json });
  }

  has(name: string): boolean {
    return this.#values.has(name);
  }

  /** The text of a parameter, unquoted; undefined when it is absent. */
  text(name: string): string | undefined {
    const raw = this.#values.get(name);
    if (raw === undefined) return undefined;
    if ('text' in raw) return raw.text;
    return typeof raw.json === 'string' ? raw.json : JSON.stringify(raw.json);
  }

  /** A JSON value under the first of the names that is there. */
  json(...names: readonly string[]): unknown {
    const raw = names.map((name) => this.#values.get(name)).find((value) => value !== undefined);
    if (raw === undefined) return undefined;
    if ('json' in raw) return raw.json;
    try {
      return JSON.parse(raw.text);
    } catch {
      throw badRequest('invalid UTF-8 JSON');
    }
  }

  /** A whole number of at least 0. */
  count(name: string): number | undefined {
    const raw = this.#values.get(name);
    if (raw === undefined) return undefined;
    const value = 'text' in raw ? raw.text : raw.json;
    const number = typeof value === 'string' && /^-?\d+$/.test(value) ? Number(value) : value;
    if (typeof number !== 'number' || !Number.isSafeInteger(number)) {
      throw queryError(`Invalid value for integer: ${JSON.stringify(value)}`);
    }
    if (number < 0) {
      throw queryError(`Invalid value for positive integer: ${JSON.stringify(value)}`);
    }
    return number;
  }

  /** A yes or no. */
  flag(name: string): boolean | undefined {
    const raw = this.#values.get(name);
    if (raw === undefined) return undefined;
    const value = 'text' in raw ? raw.text : raw.json;
    if (value === true || value === 'true') return true;
    if (value === false || value === 'false') return false;
    throw queryError(`Invalid boolean parameter: ${JSON.stringify(value)}`);
  }
}
