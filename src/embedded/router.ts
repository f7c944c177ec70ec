import { couchError } from './errors.js';
import type { Exchange } from './exchange.js';

/**
 * Who may use a route: anybody, whoever has a login, those who may read the database, its admins,
 * or server admins alone.
 */
export type Access = 'open' | 'user' | 'member' | 'databaseAdmin' | 'admin';

export type Handler = (x: Exchange) => Promise<void>;
export type Method = 'GET' | 'POST' | 'PUT' | 'DELETE' | 'COPY';

/** A path and what its methods do. HEAD is GET without the body, which node:http leaves out. */
export interface Route {
  /** `:name` takes one segment, `*name` (last) all that are left. */
  readonly path: string;
  /** Anonymous callers may come; short for the access of that name. */
  readonly open?: true;
  /** Who may come, for all methods or each of them; server admins alone where nothing is said. */
  readonly access?: Access | Readonly<Partial<Record<string, Access>>>;
  readonly methods: Readonly<Partial<Record<Method, Handler>>>;
  /** The methods in the words of CouchDB's 405, where they are not the table's own. */
  readonly allow?: string;
}

interface CompiledRoute extends Route {
  readonly pattern: readonly string[];
}

export interface RouteMatch {
  readonly route: Route;
  readonly params: Readonly<Record<string, string>>;
}

/** The route for a path's segments, if there is one. */
export type FindRoute = (segments: readonly string[]) => RouteMatch | undefined;

/** Finds routes; the first of the table that fits a path wins. */
export function createRouter(routes: readonly Route[]): FindRoute {
  const table: CompiledRoute[] = routes.map((route) => ({
    ...route,
    pattern: route.path.split('/').filter((part) => part !== ''),
  }));
  return (segments) => {
    for (const route of table) {
      const params = matchPattern(route.pattern, segments);
      if (params !== undefined) return { route, params };
    }
    return undefined;
  };
}

/** The handler for a method; 405 in CouchDB's words. */
export function handlerFor(route: Route, method: string): Handler {
  const name = method === 'HEAD' ? 'GET' : method;
  const handler = Object.hasOwn(route.methods, name) ? route.methods[name as Method] : undefined;
  if (handler !== undefined) return handler;
  const own = Object.keys(route.methods).flatMap((m) => (m === 'GET' ? ['GET', 'HEAD'] : [m]));
  const allow = route.allow ?? own.join(',');
  throw couchError(405, 'method_not_allowed', `Only ${allow} allowed`, { allow });
}

/**
 * The decoded segments of a raw path. Empty ones at both ends are dropped (`//_cluster_setup`,
 * `/db/`), and a design or local document named in one segment (`_design%2Fx`) becomes two.
 */
export function splitPath(rawPath: string): readonly string[] {
  const parts = rawPath.split('/').map(decodeSegment);
  while (parts[0] === '') parts.shift();
  while (parts.at(-1) === '') parts.pop();
  const slash = /^_(?:design|local)\//.test(parts[1] ?? '') ? (parts[1] ?? '').indexOf('/') : -1;
  if (slash > 0) {
    const [database = '', id = '', ...rest] = parts;
    return [database, id.slice(0, slash), id.slice(slash + 1), ...rest];
  }
  return parts;
}

function decodeSegment(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw couchError(400, 'bad_request', 'the path is not valid percent-encoded UTF-8');
  }
}

function matchPattern(
  pattern: readonly string[],
  segments: readonly string[],
): Record<string, string> | undefined {
  const params: Record<string, string> = {};
  for (const [n, part] of pattern.entries()) {
    if (part.startsWith('*')) {
      if (segments.length <= n) return undefined;
      params[part.slice(1)] = segments.slice(n).join('/');
      return params;
    }
    const segment = segments[n];
    if (segment === undefined) return undefined;
    if (part.startsWith(':')) params[part.slice(1)] = segment;
    else if (part !== segment) return undefined;
  }
  return segments.length === pattern.length ? params : undefined;
}
