import { type Method, methods, type Route } from './route.js';

/** The routes of one path, by method. */
export type PathRoutes = ReadonlyMap<Method, Route>;

/** Routes by path; paths with fewer parameters come first, so that `…/ips/zones` is no address. */
export function tabulate(routes: readonly Route[]): ReadonlyMap<string, PathRoutes> {
  const paths = new Map<string, Map<Method, Route>>();
  const literalFirst = [...routes].sort(
    (a, b) => a.path.split('{').length - b.path.split('{').length,
  );
  for (const route of literalFirst) {
    const known = paths.get(route.path) ?? new Map<Method, Route>();
    if (known.has(route.method)) throw new Error(`${route.method} ${route.path} is declared twice`);
    paths.set(route.path, known.set(route.method, route));
  }
  return paths;
}

/** A declared path in Express's notation. */
export function toExpressPath(path: string): string {
  return path.replace(/\{(\w+)\}/g, ':$1');
}

function pathPattern(path: string): RegExp {
  return new RegExp(`^${path.replace(/\{\w+\}/g, '[^/]+')}/?$`);
}

/** The methods of a request path, for OPTIONS; all of them where no route is declared. */
export function methodsOf(table: ReadonlyMap<string, PathRoutes>, path: string): readonly string[] {
  for (const [declared, routes] of table) {
    if (pathPattern(declared).test(path)) return [...routes.keys()];
  }
  return methods;
}
