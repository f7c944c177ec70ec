/** Objects whose keys are data: numbers, accounts, zones. */
const MAPS: readonly string[] = ['per_mdn', 'accounts', 'inbound', 'outbound', 'carrier_mpls'];

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'array' : typeof value;
}

function faultsOfMap(sample: Record<string, unknown>, answer: unknown, path: string): string[] {
  const example = Object.values(sample)[0];
  if (!isObject(answer)) return [`${path}: ${kindOf(answer)} in place of an object`];
  const values = Object.entries(answer);
  if (values.length === 0) return [`${path}: nothing in it to compare`];
  // An account is a map of its own, by number.
  return values.flatMap(([key, value]) =>
    isObject(example)
      ? faultsOfMap(example, value, `${path}.${key}`)
      : faultsOf(example, value, `${path}.${key}`),
  );
}

/**
 * Where an answer lacks what a page's sample has: a member that is not there, or is of another
 * kind. More members than the sample has are no fault, and where the sample has null a text or a
 * number may stand, as what may be null is null in some samples only.
 */
export function faultsOf(sample: unknown, answer: unknown, path = 'data'): string[] {
  if (sample === null) {
    const isScalar = answer === null || typeof answer === 'string' || typeof answer === 'number';
    return isScalar ? [] : [`${path}: ${kindOf(answer)} in place of null`];
  }
  if (kindOf(sample) !== kindOf(answer)) {
    return [`${path}: ${kindOf(answer)} in place of ${kindOf(sample)}`];
  }
  if (Array.isArray(sample)) {
    const [example] = sample;
    const items = answer as readonly unknown[];
    if (example !== undefined && items.length === 0) return [`${path}: nothing in it to compare`];
    return items.flatMap((item, n) => faultsOf(example, item, `${path}.${n}`));
  }
  if (!isObject(sample) || !isObject(answer)) return [];
  return Object.entries(sample).flatMap(([key, value]) => {
    const below = `${path}.${key}`;
    if (!Object.hasOwn(answer, key)) return [`${below}: is missing`];
    return MAPS.includes(key) && isObject(value)
      ? faultsOfMap(value, answer[key], below)
      : faultsOf(value, answer[key], below);
  });
}
