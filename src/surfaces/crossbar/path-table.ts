import type { Method, Route } from './route.js';

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

/** What a request path leads to; parameters are decoded. */
export interface FoundPath {
  readonly routes: PathRoutes;
  readonly params: Readonly<Record<string, string>>;
}

interface Step {
  readonly literals: Map<string, Step>;
  parameter: { readonly name: string; readonly step: Step } | undefined;
  routes: PathRoutes | undefined;
}

const newStep = (): Step => ({ literals: new Map(), parameter: undefined, routes: undefined });

function grow(root: Step, path: string, routes: PathRoutes): void {
  let step = root;
  for (const segment of path.split('/').slice(1)) {
    const name = /^\{(\w+)\}$/.exec(segment)?.[1];
    if (name === undefined) {
      const next = step.literals.get(segment) ?? newStep();
      step.literals.set(segment, next);
      step = next;
    } else {
      step.parameter ??= { name, step: newStep() };
      if (step.parameter.name !== name) throw new Error(`${path} names a parameter anew: ${name}`);
      step = step.parameter.step;
    }
  }
  step.routes = routes;
}

/**
 * A search for paths, segment by segment: Express tries every declared path one after the other,
 * which takes longer than the rest of a request. A literal segment goes before a parameter, and a
 * slash at the end does not count. Undecodable parameters throw a URIError.
 */
export function createPathFinder(
  table: ReadonlyMap<string, PathRoutes>,
): (path: string) => FoundPath | undefined {
  const root = newStep();
  for (const [path, routes] of table) grow(root, path, routes);

  function search(
    step: Step,
    segments: readonly string[],
    at: number,
    values: readonly [string, string][],
  ): FoundPath | undefined {
    const segment = segments[at];
    if (segment === undefined || (segment === '' && at === segments.length - 1)) {
      return step.routes && { routes: step.routes, params: Object.fromEntries(values) };
    }
    const literal = step.literals.get(segment);
    const found = literal && search(literal, segments, at + 1, values);
    if (found !== undefined || step.parameter === undefined || segment === '') return found;
    const { name, step: next } = step.parameter;
    return search(next, segments, at + 1, [...values, [name, segment]]);
  }

  return (path) => {
    const found = search(root, path.split('/').slice(1), 0, []);
    if (found === undefined) return undefined;
    const params = Object.entries(found.params).map(([name, value]): [string, string] => [
      name,
      decodeURIComponent(value),
    ]);
    return { routes: found.routes, params: Object.fromEntries(params) };
  };
}
