import type { Request } from 'express';
import { InvalidError } from '../../core/errors.js';
import { isJsonObject, type JsonObject } from '../../core/json.js';
import { CREDENTIALS } from './body.js';
import type { Route } from './route.js';

const KEY_HEADER = 'idempotency-key';
/** Any text a client can put into a header; quotes around it are a part of it. */
const KEY = /^[\x20-\x7e]{1,255}$/;

/** An answer as it goes out, JSON text. */
export interface Answer {
  readonly status: number;
  /** Lower-case names; content type and length are added when it is sent. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** A request with an Idempotency-Key, as the keys' keeper needs to know it. */
export interface KeyedRequest {
  /** Who asks for which operation on what; the same key in two scopes is two keys. */
  readonly scope: readonly string[];
  readonly key: string;
  /** What is asked, without credentials; equal texts are the same request. May hold secrets. */
  readonly content: string;
  readonly requestId: string;
  /** How long the operation may run, milliseconds. */
  readonly limitMs: number;
  readonly accountId: string | undefined;
}

/** One run of an operation under its key; `finish` must be called at its end. */
export interface KeyedRun {
  /** The request id of the operation's writes, the same in every run of it. */
  readonly operationId: string;
  /** An earlier run may have done all of it or a part. */
  readonly isRepeat: boolean;
  /**
   * `answer`: what every repeat gets from now on; `'again'`: a repeat shall run; `'forget'`: as if
   * the key had never been used. Never rejects: what was done is done, whether noted or not.
   */
  finish(outcome: { readonly answer: Answer } | 'again' | 'forget'): Promise<void>;
}

/** What a key stands for by now. */
export type KeyedState =
  | { readonly state: 'begun'; readonly run: KeyedRun }
  | { readonly state: 'answered'; readonly answer: Answer }
  /** Done, and its answer was too large to be kept. */
  | { readonly state: 'unkept'; readonly status: number }
  | { readonly state: 'running' }
  /** The key was used for another request. */
  | { readonly state: 'reused' };

/** Keeps what became of keyed requests, for every process of the service; wired in `app.ts`. */
export interface IdempotencyKeys {
  /** Begins a run, or says why there is none; `unavailable` when that cannot be found out. */
  begin(request: KeyedRequest): Promise<KeyedState>;
}

/**
 * The key of a request, or undefined when it has none or it is no PUT or POST. A POST that stands
 * for another writing verb is a POST.
 */
export function idempotencyKeyOf(request: Request, route: Route): string | undefined {
  const given = request.headers[KEY_HEADER];
  if (given === undefined || route.method === 'GET') return undefined;
  if (request.method !== 'PUT' && request.method !== 'POST') return undefined;
  // Node joins what came as several headers; two keys are none.
  const values = request.headersDistinct[KEY_HEADER] ?? [];
  if (values.length === 1 && typeof given === 'string' && KEY.test(given)) return given;
  const message = 'Idempotency-Key must be one text of 1 to 255 printable ASCII characters';
  throw new InvalidError([{ path: ['Idempotency-Key'], rule: 'invalid', message }]);
}

function withoutCredentials(value: unknown): unknown {
  if (!isJsonObject(value)) return value;
  return Object.fromEntries(Object.entries(value).filter(([name]) => !CREDENTIALS.includes(name)));
}

/** Members in one order, so that a client may write the same body in another. */
function canonicalText(value: unknown): string {
  return JSON.stringify(value, (_name, member: unknown) =>
    isJsonObject(member)
      ? Object.fromEntries(Object.entries(member).sort(([a], [b]) => (a < b ? -1 : 1)))
      : member,
  );
}

/**
 * What a request asks, as one text. The token is left out: it says who asks, and a client whose
 * token was over signs in again before it repeats a request.
 */
export function contentOf(
  query: Readonly<Record<string, unknown>>,
  envelope: JsonObject | undefined,
): string {
  const body = withoutCredentials(envelope ?? {}) as JsonObject;
  const data = 'data' in body ? { data: withoutCredentials(body['data']) } : {};
  return canonicalText([withoutCredentials(query), { ...body, ...data }]);
}
