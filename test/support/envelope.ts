const REQUEST_ID = /^[0-9a-f]{32}$/;
const TIMESTAMP = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;

/** How far a request came before it was answered; decides what the envelope says of the caller. */
export type Known =
  /** No token, or none of ours. */
  | 'nobody'
  /** The token's signature was checked, its account and user were not asked. */
  | 'token'
  /** The caller was found. */
  | 'caller';

function frame(known: Known): Record<string, unknown> {
  return {
    ...(known === 'nobody' ? {} : { auth_token: expect.any(String) }),
    node: expect.any(String),
    request_id: expect.stringMatching(REQUEST_ID),
    timestamp: expect.stringMatching(TIMESTAMP),
    tokens: { consumed: 1, remaining: expect.any(Number) },
    ...(known === 'caller' ? { version: '0.0.0-test' } : {}),
  };
}

/** The whole body of a success. */
export function success(
  data: unknown,
  members: Readonly<Record<string, unknown>> = {},
  known: Known = 'caller',
): Record<string, unknown> {
  return { data, revision: expect.any(String), ...frame(known), status: 'success', ...members };
}

/** The whole body of a failure. */
export function failure(
  status: number,
  message: string,
  data: unknown,
  known: Known = 'caller',
): Record<string, unknown> {
  return { data, error: String(status), message, ...frame(known), status: 'error' };
}

/** The whole body of a 400 with these faults, by path and rule. */
export function invalid(
  faults: Readonly<Record<string, Readonly<Record<string, unknown>>>>,
  known: Known = 'caller',
): Record<string, unknown> {
  return failure(400, 'validation error', faults, known);
}

/** The whole body of Kazoo's answer to an id that names nothing. */
export function noSuch(id: string, known: Known = 'caller'): Record<string, unknown> {
  return failure(404, 'bad_identifier', { message: 'bad identifier', cause: id }, known);
}

/** The whole body of a refusal to a caller without access. */
export function forbidden(): Record<string, unknown> {
  return failure(403, 'forbidden', { message: 'forbidden' });
}

/** The whole body of a refusal of credentials. */
export function unauthenticated(known: Known = 'nobody'): Record<string, unknown> {
  return failure(401, 'invalid_credentials', { message: 'invalid credentials' }, known);
}
