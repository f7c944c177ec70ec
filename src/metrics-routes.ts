/** Whom a path speaks to; `none` is no path of ours. */
export type Surface = 'crossbar' | 'platform-api' | 'json-api' | 'operations' | 'docs' | 'none';

/** A path that is answered, its parameters in braces, and the methods that it takes. */
export interface DeclaredPath {
  readonly path: string;
  readonly surface: Surface;
  readonly methods: readonly string[];
  /** Other paths that lead to the same. */
  readonly aliases?: readonly string[];
}

/** What the address of a request is counted under: of a set that is closed at start. */
export interface Place {
  /** The declared path, or `unknown`. */
  readonly route: string;
  readonly surface: Surface;
  readonly methods: ReadonlySet<string>;
}

/** The label of every path that is not declared. */
export const UNKNOWN_ROUTE = 'unknown';

const KNOWN_METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);
/** Longer paths are not declared; what a client puts behind is not looked at. */
const SEGMENTS_MAX = 24;
const CROSSBAR = '/v2';
/** The first segments of the surfaces' paths. */
const MOUNTS: readonly (readonly [mount: string, surface: Surface])[] = [
  [CROSSBAR.slice(1), 'crossbar'],
  ['platform_api', 'platform-api'],
  ['api', 'json-api'],
];
const OWN_ACCOUNT = '/accounts/{account_id}';

const operationPaths: readonly DeclaredPath[] = ['/live', '/ready', '/metrics'].map((path) => ({
  path,
  surface: 'operations',
  methods: ['GET', 'HEAD'],
}));

const docsPaths: readonly DeclaredPath[] = [
  '/',
  '/docs',
  '/docs/{file}',
  '/docs/assets/{file}',
].map((path) => ({ path, surface: 'docs', methods: ['GET', 'HEAD'] }));

/**
 * Every path of the service; `routes` are those of the crossbar surface, below `/v2`, and `others`
 * the whole paths of the other surfaces.
 */
export function declarePaths(
  routes: readonly { readonly method: string; readonly path: string }[],
  others: readonly DeclaredPath[] = [],
): readonly DeclaredPath[] {
  // Every path takes OPTIONS, and POST for the verb that it names in its body.
  const methods = new Map<string, Set<string>>();
  for (const { path, method } of routes) {
    methods.set(path, (methods.get(path) ?? new Set(['OPTIONS', 'POST'])).add(method));
  }
  const crossbar = [...methods].map(([path, declared]): DeclaredPath => {
    const isOwn = path === OWN_ACCOUNT || path.startsWith(`${OWN_ACCOUNT}/`);
    return {
      path: CROSSBAR + path,
      surface: 'crossbar',
      methods: [...declared],
      aliases: isOwn ? [`${CROSSBAR}/account${path.slice(OWN_ACCOUNT.length)}`] : [],
    };
  });
  return [...operationPaths, ...docsPaths, ...crossbar, ...others];
}

interface Step {
  readonly literals: Map<string, Step>;
  parameter: Step | undefined;
  place: Place | undefined;
}

const newStep = (): Step => ({ literals: new Map(), parameter: undefined, place: undefined });

/** Segments of a path; a slash at the end does not count. */
function segmentsOf(path: string): string[] {
  const segments = path.split('/', SEGMENTS_MAX);
  if (segments.at(-1) === '') segments.pop();
  // The mounts of the surfaces are found whatever their case.
  if (segments[1] !== undefined) segments[1] = segments[1].toLowerCase();
  return segments.slice(1);
}

function insert(root: Step, path: string, place: Place): void {
  let step = root;
  for (const segment of segmentsOf(path)) {
    if (segment.startsWith('{')) {
      step.parameter ??= newStep();
      step = step.parameter;
    } else {
      const next = step.literals.get(segment) ?? newStep();
      step.literals.set(segment, next);
      step = next;
    }
  }
  step.place = place;
}

/** A literal segment goes before a parameter, as in the service. */
function search(step: Step, segments: readonly string[], at: number): Place | undefined {
  const segment = segments[at];
  if (segment === undefined) return step.place;
  const literal = step.literals.get(segment);
  const found = literal && search(literal, segments, at + 1);
  if (found !== undefined || step.parameter === undefined || segment === '') return found;
  return search(step.parameter, segments, at + 1);
}

/** Without the query; clients may also send the whole URL (RFC 9112, 3.2.2). */
function pathOf(target: string): string {
  const path = target.startsWith('/') ? target : target.replace(/^https?:\/\/[^/?#]*/i, '');
  const end = path.search(/[?#]/);
  return end === -1 ? path : path.slice(0, end);
}

/**
 * Says for a request's target what it is counted under. The same for requests that are refused
 * before anybody looks for their route, so that the limits' 429 are seen where they happen.
 */
export function createPlaces(paths: readonly DeclaredPath[]): (target: string) => Place {
  const root = newStep();
  const unknownOf = (surface: Surface): Place => ({
    route: UNKNOWN_ROUTE,
    surface,
    methods: KNOWN_METHODS,
  });
  // While the service starts it has no routes yet, but it is known whom such a path speaks to.
  const unknown = new Map(MOUNTS.map(([mount, surface]) => [mount, unknownOf(surface)]));
  for (const { path, surface, methods, aliases = [] } of paths) {
    const place = { route: path, surface, methods: new Set(methods) };
    for (const each of [path, ...aliases]) insert(root, each, place);
    const [mount] = segmentsOf(path);
    if (mount !== undefined) unknown.set(mount, unknownOf(surface));
  }
  const nowhere = unknownOf('none');
  return (target) => {
    const path = pathOf(target);
    if (path !== '' && !path.startsWith('/')) return nowhere;
    const segments = segmentsOf(path);
    return search(root, segments, 0) ?? unknown.get(segments[0] ?? '') ?? nowhere;
  };
}
