/** Sorts as CouchDB's `ucol_open("")` does: ICU's root collation, which both of us ship. */
const collator = new Intl.Collator('und');

type CompareStrings = (a: string, b: string) => number;

const compareUnicode: CompareStrings = (a, b) => collator.compare(a, b);
const compareRaw: CompareStrings = (a, b) => (a < b ? -1 : a > b ? 1 : 0);

/**
 * View keys in CouchDB's order: null, false, true, numbers, strings (Unicode collation), arrays,
 * objects.
 */
export function compareKeys(a: unknown, b: unknown): number {
  return compareWith(a, b, compareUnicode);
}

/** The order of `_all_docs`: as view keys, but strings by code. */
export function compareIds(a: unknown, b: unknown): number {
  return compareWith(a, b, compareRaw);
}

function compareWith(a: unknown, b: unknown, strings: CompareStrings): number {
  if (a === b) return 0;
  const rank = rankOf(a) - rankOf(b);
  if (rank !== 0) return rank;
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  if (typeof a === 'string' && typeof b === 'string') return strings(a, b);
  if (Array.isArray(a) && Array.isArray(b)) return compareArrays(a, b, strings);
  if (rankOf(a) === OBJECT) return compareObjects(a as object, b as object, strings);
  return 0;
}

const OBJECT = 6;

function rankOf(value: unknown): number {
  if (value === null || value === undefined) return 0;
  if (value === false) return 1;
  if (value === true) return 2;
  if (typeof value === 'number') return 3;
  if (typeof value === 'string') return 4;
  return Array.isArray(value) ? 5 : OBJECT;
}

function compareArrays(
  a: readonly unknown[],
  b: readonly unknown[],
  strings: CompareStrings,
): number {
  const length = Math.min(a.length, b.length);
  for (let n = 0; n < length; n += 1) {
    const order = compareWith(a[n], b[n], strings);
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

/** CouchDB compares objects member by member in the order they were written. */
function compareObjects(a: object, b: object, strings: CompareStrings): number {
  const left = Object.entries(a);
  const right = Object.entries(b);
  for (const [n, [name, value]] of left.entries()) {
    const other = right[n];
    if (other === undefined) return 1;
    const order = strings(name, other[0]) || compareWith(value, other[1], strings);
    if (order !== 0) return order;
  }
  return left.length - right.length;
}
