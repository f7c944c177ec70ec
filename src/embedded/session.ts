import { createHmac, randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { isSameSecret } from '../core/constant-time.js';
import { isJsonObject } from '../core/json.js';
import { badRequest, couchError } from './errors.js';
import { type Exchange, readBody, readJson, sendJson } from './exchange.js';
import type { Route } from './router.js';

const COOKIE = 'AuthSession';
const COOKIE_TTL_S = 600;

export interface Caller {
  readonly user: string | undefined;
  readonly authenticated: 'default' | 'cookie' | undefined;
}

export interface Sessions {
  /** Who is asking; a wrong Basic login is 401 at once, a stale cookie is nobody. */
  authenticate(req: IncomingMessage): Caller;
  readonly routes: readonly Route[];
}

const ANONYMOUS: Caller = { user: undefined, authenticated: undefined };

/**
 * Basic and cookie login of the one admin. Cookies are signed with a key of this process, so a
 * restart ends them; they are bound to the password through that key's derivation.
 */
export function createSessions(admin: { user: string; password: string }): Sessions {
  const key = createHmac('sha256', randomBytes(32)).update(admin.password).digest();

  const isAdmin = (user: string, password: string): boolean => {
    const userMatches = isSameSecret(user, admin.user);
    const passwordMatches = isSameSecret(password, admin.password);
    return userMatches && passwordMatches;
  };
  const sign = (text: string): string => createHmac('sha256', key).update(text).digest('hex');
  const issue = (nowMs: number): string => {
    const payload = `${Buffer.from(admin.user).toString('base64url')}.${nowMs.toString(36)}`;
    return `${payload}.${sign(payload)}`;
  };
  const isValidCookie = (cookie: string): boolean => {
    const [user = '', issued = '', signature = ''] = cookie.split('.');
    const ageMs = Date.now() - Number.parseInt(issued, 36);
    const isFresh = ageMs >= 0 && ageMs < COOKIE_TTL_S * 1000;
    return isSameSecret(signature, sign(`${user}.${issued}`)) && isFresh;
  };

  const login = async (x: Exchange): Promise<void> => {
    const { name, password } = await readLogin(x);
    if (!isAdmin(name, password)) throw wrongLogin({ 'set-cookie': cookieHeader('') });
    const cookie = cookieHeader(issue(Date.now()));
    sendJson(x, 200, { ok: true, name, roles: ['_admin'] }, { 'set-cookie': cookie });
  };

  return {
    authenticate(req) {
      const basic = basicLogin(req.headers.authorization);
      if (basic !== undefined) {
        if (!isAdmin(basic.name, basic.password)) throw wrongLogin();
        return { user: admin.user, authenticated: 'default' };
      }
      const cookie = readCookie(req.headers.cookie);
      if (cookie === undefined || !isValidCookie(cookie)) return ANONYMOUS;
      return { user: admin.user, authenticated: 'cookie' };
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

async function showSession(x: Exchange): Promise<void> {
  const isAdmin = x.user !== undefined;
  sendJson(x, 200, {
    ok: true,
    userCtx: { name: x.user ?? null, roles: isAdmin ? ['_admin'] : [] },
    info: {
      authentication_handlers: ['cookie', 'default'],
      ...(isAdmin ? { authenticated: x.authenticated } : {}),
    },
  });
}

async function logout(x: Exchange): Promise<void> {
  sendJson(x, 200, { ok: true }, { 'set-cookie': cookieHeader('') });
}

async function readLogin(x: Exchange): Promise<{ name: string; password: string }> {
  if ((x.req.headers['content-type'] ?? '').includes('application/json')) {
    const body = await readJson(x);
    const { name, username, password } = isJsonObject(body) ? body : {};
    return checkLogin(name ?? username, password);
  }
  const form = new URLSearchParams((await readBody(x)).toString('utf8'));
  return checkLogin(form.get('name') ?? form.get('username') ?? '', form.get('password') ?? '');
}

function checkLogin(name: unknown, password: unknown): { name: string; password: string } {
  if (typeof name === 'string' && typeof password === 'string') return { name, password };
  throw badRequest('name and password must be strings');
}

const wrongLogin = (headers: Record<string, string> = {}) =>
  couchError(401, 'unauthorized', 'Name or password is incorrect.', headers);

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

function readCookie(header: string | undefined): string | undefined {
  const pairs = (header ?? '').split(';').map((pair) => pair.trim());
  return pairs.find((pair) => pair.startsWith(`${COOKIE}=`))?.slice(COOKIE.length + 1) || undefined;
}
