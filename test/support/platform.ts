import { createSign, generateKeyPairSync } from 'node:crypto';
import { callRaw, type RawAnswer, type RawCall } from './raw-call.js';
import { CUSTOMER, RESELLER, type TestService } from './service.js';

/** What the demo accounts' clients sign in with: those of accounts 1 and 2. */
export const ONE = { account_id: '1', api_key: 'eec36d6c-a0eb-46b5-a006-1c2b65343bac' };
export const TWO = { account_id: '2', api_key: 'b1a9f3c2-5d64-4e0b-9a57-0c1d2e3f4a5b' };
/** Whose they are. */
export const ACCOUNT_OF = { 1: RESELLER, 2: CUSTOMER } as const;

export type Fields = Readonly<Record<string, string>>;

export const ADD = 'AddAuthorizedAccountIP';
export const CHECK = 'CheckAuthorizedAccountIP';
export const DEL = 'DelAuthorizedAccountIP';
export const GET = 'GetAuthorizedAccountIPs';

/** An error as the surface words it: the same one as `error` and in `errors`. */
export function failure(code: number, msg: string, details?: string) {
  const error = { code, msg, ...(details === undefined ? {} : { details }) };
  return { error, errors: [error] };
}

export const REFUSED = failure(
  100,
  'Authorization failed',
  'the account or its credentials are wrong',
);
export const NO_CREDENTIALS = failure(
  100,
  'Authorization failed',
  'send account_id, account_name, account_email with api_key, session_id, account_password, ' +
    "or a service account's token",
);

/** A call as the page prints it: GET, with a slash behind the name, all in the query. */
export async function ask(
  service: { readonly url: string },
  command: string,
  fields: Fields,
  headers: Readonly<Record<string, string>> = {},
): Promise<RawAnswer> {
  const path = `/platform_api/${command}/?${new URLSearchParams(fields)}`;
  return callRaw(service.url, 'GET', path, { headers });
}

/** The body of a call; it must have come with status 200 as plain JSON. */
export async function bodyOf(
  service: { readonly url: string },
  command: string,
  fields: Fields,
  headers: Readonly<Record<string, string>> = {},
  // biome-ignore lint/suspicious/noExplicitAny: bodies are asserted whole, field by field.
): Promise<any> {
  const answer = await ask(service, command, fields, headers);
  expect([answer.status, answer.headers['content-type']]).toEqual([200, 'application/json']);
  return answer.body;
}

/** A request with a form with parts; `boundary` as axios makes them. */
export function multipart(fields: Fields | readonly (readonly [string, string])[]): RawCall {
  const boundary = '--------------------------037512345678901234567890';
  const pairs = Array.isArray(fields) ? fields : Object.entries(fields);
  const parts = pairs.map(
    ([name, value]) =>
      `--${boundary}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`,
  );
  return {
    headers: {
      'content-type': `multipart/form-data; boundary=${boundary}`,
      'transfer-encoding': 'chunked',
    },
    body: `${parts.join('')}--${boundary}--\r\n`,
  };
}

/** A request with an ordinary form. */
export function urlencoded(fields: Fields): RawCall {
  return {
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: String(new URLSearchParams(fields)),
  };
}

export function asJson(body: unknown): RawCall {
  return { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
}

/** An RSA key of a service account, both halves in PEM. */
export function newKeyPair(bits = 2048): { publicKey: string; privateKey: string } {
  return generateKeyPairSync('rsa', {
    modulusLength: bits,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
}

function part(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

/** A token whose header and payload are just these; `sign` makes the signature of its text. */
export function tokenWith(
  header: unknown,
  payload: unknown,
  sign: (text: string) => Buffer = () => Buffer.alloc(0),
): string {
  const text = `${part(header)}.${part(payload)}`;
  return `${text}.${sign(text).toString('base64url')}`;
}

/** RS256, or another of its family by its digest. */
export function rsaSign(privateKey: string, digest = 'RSA-SHA256') {
  return (text: string) => createSign(digest).update(text).sign(privateKey);
}

/** The header that the SDKs send. */
export function bearer(token: string): Readonly<Record<string, string>> {
  return { authorization: `Bearer ${token}` };
}

/** A key of a service account for the demo account, made by the service itself. */
export async function addServiceKey(service: TestService, platformId: '1' | '2') {
  return service.services.platform.accounts.createKey(platformId);
}

/** Takes all networks of an account away. */
export async function clear(service: { readonly url: string }, who: Fields): Promise<void> {
  await bodyOf(service, DEL, { ...who, authorized_ip: 'all' });
}

/** The networks of an account, as `network list` in the order of the answer. */
export async function networksOf(
  service: { readonly url: string },
  who: Fields,
): Promise<string[]> {
  const { result } = await bodyOf(service, GET, { ...who, count: '1000' });
  return (result as { authorized_ip: string; allowed: string }[]).map(
    ({ authorized_ip, allowed }) => `${authorized_ip} ${allowed}`,
  );
}

/** What every answer of the surface has, whatever it says. */
export function expectPlain(answer: RawAnswer, body: unknown): void {
  expect({ status: answer.status, body: answer.body }).toEqual({ status: 200, body });
  const { date: _, connection: _c, 'keep-alive': _k, ...headers } = answer.headers;
  expect(headers).toMatchObject({
    'content-type': 'application/json',
    'content-length': String(Buffer.byteLength(answer.text)),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'x-request-id': expect.stringMatching(/^[0-9a-f]{32}$/),
  });
  expect(Object.keys(headers)).not.toContain('x-powered-by');
  expect(Object.keys(headers)).not.toContain('etag');
}
