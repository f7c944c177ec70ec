import { createHash } from 'node:crypto';
import { isJsonObject } from '../core/json.js';
import { badRequest } from './errors.js';

/** How this store reaches its own databases: by HTTP, like everybody else. */
export interface OwnServer {
  /** `http://127.0.0.1:<port>`. */
  readonly origin: string;
  /** The admin's Basic login. */
  readonly authorization: string;
}

/** One end of a replication. */
export interface Endpoint {
  /** Where it is, as CouchDB shows it: with a slash at its end and without any login. */
  readonly shown: string;
  readonly origin: string;
  /** The database's path as it is sent, without a slash at its end. */
  readonly path: string;
  /** Sent with every request; logins are nowhere else. */
  readonly headers: Readonly<Record<string, string>>;
  /** What the replication id is made of: stays the same when the port or the password changes. */
  readonly identity: string;
}

/** Headers that would break the request or the connection they are sent on. */
const OWN_HEADERS: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'expect',
  'host',
  'keep-alive',
  'te',
  'transfer-encoding',
  'upgrade',
]);
const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/**
 * Reads `source` or `target`: a database of this store, a URL (with or without a login), or an
 * object `{url, headers, auth: {basic: {username, password}}}`. 400 for anything else; the message
 * never quotes a URL, because it may hold a password.
 */
export function parseEndpoint(name: string, value: unknown, own: OwnServer): Endpoint {
  if (isJsonObject(value)) return parseObject(name, value, own);
  if (typeof value !== 'string' || value === '') {
    throw badRequest(`\`${name}\` must be a database name, a URL or an object with a URL`);
  }
  return parseText(name, value, {}, own);
}

function parseObject(name: string, value: object, own: OwnServer): Endpoint {
  const { url, headers, auth } = value as Record<string, unknown>;
  if (typeof url !== 'string' || url === '') throw badRequest(`\`${name}.url\` must be a URL`);
  const basic = isJsonObject(auth) ? auth['basic'] : undefined;
  const login = isJsonObject(basic) ? basic : undefined;
  if (auth !== undefined && login === undefined) {
    throw badRequest(`\`${name}.auth\` must be {"basic": {"username": …, "password": …}}`);
  }
  const { username, password } = login ?? {};
  if (login !== undefined && (typeof username !== 'string' || typeof password !== 'string')) {
    throw badRequest(`\`${name}.auth.basic\` must have a username and a password`);
  }
  return parseText(
    name,
    url,
    {
      ...checkHeaders(name, headers ?? {}),
      ...(login === undefined ? {} : { authorization: basicLogin(`${username}:${password}`) }),
    },
    own,
  );
}

function checkHeaders(name: string, value: unknown): Record<string, string> {
  if (!isJsonObject(value)) throw badRequest(`\`${name}.headers\` must be an object`);
  return Object.fromEntries(
    Object.entries(value).map(([header, text]) => {
      const key = header.toLowerCase();
      const isValid = HEADER_NAME.test(key) && typeof text === 'string' && HEADER_VALUE.test(text);
      if (!isValid || OWN_HEADERS.has(key)) {
        throw badRequest(`\`${name}.headers\` has a header that cannot be sent`);
      }
      return [key, text];
    }),
  );
}

function parseText(
  name: string,
  text: string,
  headers: Readonly<Record<string, string>>,
  own: OwnServer,
): Endpoint {
  if (!/^https?:\/\//i.test(text)) return ownDatabase(name, text, headers, own);
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const path = url?.pathname.replace(/\/+$/, '') ?? '';
  if (url === undefined || path === '') throw badRequest(`\`${name}\` is not a URL of a database`);
  const login = decodeLogin(name, url);
  const shown = `${url.origin}${path}/`;
  const all = login === undefined ? headers : { authorization: basicLogin(login), ...headers };
  // The user counts, as in CouchDB: another one may be shown other documents.
  const user = decodeUser(all['authorization']);
  return {
    shown,
    origin: url.origin,
    path,
    headers: all,
    identity: user === undefined ? shown : `${user}@${shown}`,
  };
}

function ownDatabase(
  name: string,
  database: string,
  headers: Readonly<Record<string, string>>,
  own: OwnServer,
): Endpoint {
  if (!/^[a-z_][a-z0-9_$()+/-]*$/.test(database)) {
    throw badRequest(`\`${name}\` is neither a database name nor an http or https URL`);
  }
  const path = `/${encodeURIComponent(database)}`;
  return {
    shown: `${own.origin}${path}/`,
    origin: own.origin,
    path,
    headers: { authorization: own.authorization, ...headers },
    identity: `local:${database}`,
  };
}

function decodeLogin(name: string, url: URL): string | undefined {
  if (url.username === '' && url.password === '') return undefined;
  try {
    return `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  } catch {
    throw badRequest(`The login in the URL of \`${name}\` is not valid percent-encoded UTF-8`);
  }
}

/** The value of an `Authorization` header for `user:password`. */
export function basicLogin(login: string): string {
  return `Basic ${Buffer.from(login).toString('base64')}`;
}

/** The user of a Basic login; other kinds of login are told apart by their digest. */
function decodeUser(authorization: string | undefined): string | undefined {
  if (authorization === undefined) return undefined;
  const encoded = /^Basic\s+(\S+)$/i.exec(authorization)?.[1];
  if (encoded !== undefined) return Buffer.from(encoded, 'base64').toString('utf8').split(':')[0];
  return createHash('sha256').update(authorization).digest('hex');
}
