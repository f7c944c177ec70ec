import { createHmac } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { isSameSecret } from '../core/constant-time.js';
import { isJsonObject } from '../core/json.js';
import { badRequest, couchError } from './errors.js';
import {
  type BodyLimits,
  type Exchange,
  queryOf,
  readBody,
  readJson,
  sendJson,
} from './exchange.js';
import type { Identity, Logins } from './logins.js';
import type { Route } from './router.js';

const COOKIE = 'AuthSession';
const COOKIE_TTL_S = 600;
/** Anybody may send a login, so it may cost next to nothing. */
const LOGIN_BODY: BodyLimits = { maxBytes: 16 * 1024, gzip: false };
/** A cookie that is used is made anew when a tenth of its time is over, as CouchDB does. */
const REFRESH_AFTER_S = COOKIE_TTL_S / 10;

export interface Caller {
  readonly user: string | undefined;
  readonly roles: readonly string[];
  readonly authenticated: 'default' | 'cookie' | undefined;
  /** A header for the answer, when the caller's cookie is to be replaced. */
  readonly cookie: string | undefined;
}

export interface Sessions {
  /** Who is asking; a wrong Basic login is 401 at once, a stale cookie is nobody. */
  authenticate(req: IncomingMessage): Promise<Caller>;
  readonly routes: readonly Route[];
}

const ANONYMOUS: Caller = {
  user: undefined,
  roles: [],
  authenticated: undefined,
  cookie: undefined,
};

/**
 * Basic and cookie login. Cookies are signed with the store's secret, which stays the same over a
 * restart (CouchDB's replicator hangs when its cookie is refused in the middle of its work), and
 * with what changes when the password does.
 */
export function createSessions(logins: Logins, secret: string): Sessions {
  const cookies = createCookies(logins, secret);

  const login = async (x: Exchange): Promise<void> => {
    const { name, password } = await readLogin(x);
    const found = await logins.verify(name, password, addressOf(x.req));
    if (found === undefined) throw wrongLogin({ 'set-cookie': cookieHeader('') });
    const next = readNext(x);
    sendJson(
      x,
      next === undefined ? 200 : 302,
      { ok: true, name: found.name, roles: found.roles },
      {
        'set-cookie': cookieHeader(cookies.issue(found)),
        ...(next === undefined ? {} : { location: next }),
      },
    );
  };

  return {
    async authenticate(req) {
      const basic = basicLogin(req.headers.authorization);
      if (basic === undefined) return cookies.authenticate(req);
      const found = await logins.verify(basic.name, basic.password, addressOf(req));
      if (found === undefined) throw wrongLogin();
      const { name, roles } = found;
      return { user: name, roles, authenticated: 'default', cookie: undefined };
    },
    routes: [
      {
        path: '/_session',
        open: true,
        methods: { GET: showSession, POST: login, DELETE: logout },
        allow: 'GET,HEAD,POST,DELETE',
      },
    ],
  };
}

interface Cookies {
  issue(identity: Identity): string;
  authenticate(req: IncomingMessage): Promise<Caller>;
}

function createCookies(logins: Logins, secret: string): Cookies {
  const sign = (payload: string, stamp: string): string =>
    createHmac('sha256', secret)
      .update(JSON.stringify([payload, stamp]))
      .digest('base64url');
  const issue = ({ name, stamp }: Identity): string => {
    const issued = Math.floor(Date.now() / 1000).toString(16);
    const payload = `${Buffer.from(name).toString('base64url')}.${issued}`;
    return `${payload}.${sign(payload, stamp)}`;
  };
  return {
    issue,
    async authenticate(req) {
      const [encoded = '', issued = '', signature = ''] = readCookie(req.headers.cookie).split('.');
      const ageS = Date.now() / 1000 - Number.parseInt(issued, 16);
      if (encoded === '' || !(ageS >= 0 && ageS < COOKIE_TTL_S)) return ANONYMOUS;
      const found = await logins.find(Buffer.from(encoded, 'base64url').toString('utf8'));
      if (found === undefined) return ANONYMOUS;
      if (!isSameSecret(signature, sign(`${encoded}.${issued}`, found.stamp))) return ANONYMOUS;
      const cookie = ageS > REFRESH_AFTER_S ? cookieHeader(issue(found)) : undefined;
      return { user: found.name, roles: found.roles, authenticated: 'cookie', cookie };
    },
  };
}

async function showSession(x: Exchange): Promise<void> {
  sendJson(x, 200, {
    ok: true,
    userCtx: { name: x.user ?? null, roles: x.roles },
    info: {
      authentication_handlers: ['cookie', 'default'],
      ...(x.user === undefined ? {} : { authenticated: x.authenticated }),
    },
  });
}

async function logout(x: Exchange): Promise<void> {
  sendJson(x, 200, { ok: true }, { 'set-cookie': cookieHeader('') });
}

async function readLogin(x: Exchange): Promise<{ name: string; password: string }> {
  if ((x.req.headers['content-type'] ?? '').includes('application/json')) {
    const body = await readJson(x, LOGIN_BODY);
    const { name, username, password } = isJsonObject(body) ? body : {};
    return checkLogin(name ?? username, password);
  }
  const form = new URLSearchParams((await readBody(x, LOGIN_BODY)).toString('utf8'));
  return checkLogin(form.get('name') ?? form.get('username') ?? '', form.get('password') ?? '');
}

function checkLogin(name: unknown, password: unknown): { name: string; password: string } {
  if (name === undefined) throw badRequest('request body must contain a username');
  if (typeof name === 'string' && typeof password === 'string') return { name, password };
  throw badRequest('name and password must be strings');
}

/** `?next=`: a path of this server only, so that a login leads nowhere else. */
function readNext(x: Exchange): string | undefined {
  const next = queryOf(x).text('next');
  if (next === undefined || !/^\/(?![/\\])[\x21-\x7e]*$/.test(next)) return undefined;
  return next;
}

const wrongLogin = (headers: Record<string, string> = {}) =>
  couchError(401, 'unauthorized', 'Name or password is incorrect.', headers);

function addressOf(req: IncomingMessage): string {
  return req.socket.remoteAddress ?? '';
}

function cookieHeader(value: string): string {
  return [
    `${COOKIE}=${value}`,
    'Version=1',
    `Max-Age=${COOKIE_TTL_S}`,
    'Path=/',
    'HttpOnly',
    'SameSite=Strict',
  ].join('; ');
}

function basicLogin(header: string | undefined): { name: string; password: string } | undefined {
  const encoded = /^Basic\s+(\S+)\s*$/i.exec(header ?? '')?.[1];
  if (encoded === undefined) return undefined;
  const text = Buffer.from(encoded, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  if (colon < 0) return { name: text, password: '' };
  return { name: text.slice(0, colon), password: text.slice(colon + 1) };
}

function readCookie(header: string | undefined): string {
  const pairs = (header ?? '').split(';').map((pair) => pair.trim());
  return pairs.find((pair) => pair.startsWith(`${COOKIE}=`))?.slice(COOKIE.length + 1) ?? '';
}
