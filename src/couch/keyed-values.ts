import { isJsonObject } from '../core/json.js';
import { DIGEST_END, placeName, type Step } from '../core/sealed-place.js';
import type { SecretBox } from '../core/secret-box.js';
import type { StoredDoc } from './types.js';

/** A text in a document that was made with a key of a keyring. */
export interface KeyedValue {
  readonly steps: readonly Step[];
  /** The name of its place, see {@link placeName}. */
  readonly field: string;
  readonly text: string;
  readonly kid: string;
  /** `strange`: it looks sealed and does not open where it stands. */
  readonly kind: 'sealed' | 'digest' | 'strange';
}

/** A sealed value, a digest or a hash; those of the demo realm are never sealed values. */
const KEYED = /^(v1|demo1)\.([A-Za-z0-9_-]{1,32})\.[A-Za-z0-9_-]{32,}$/;

/** A value and how it was come to; the way is only written out for what is found. */
interface Place {
  readonly above: Place | undefined;
  readonly step: Step | undefined;
  readonly value: unknown;
}

function placesBelow(above: Place): readonly Place[] {
  const { value } = above;
  if (Array.isArray(value)) {
    const count = value.length;
    return value.map((item, n) => ({ above, step: { n: n + 1, count }, value: item }));
  }
  if (!isJsonObject(value)) return [];
  return Object.entries(value).map(([name, member]) => ({ above, step: name, value: member }));
}

function stepsTo(place: Place): readonly Step[] {
  const steps: Step[] = [];
  for (let at: Place | undefined = place; at?.step !== undefined; at = at.above)
    steps.push(at.step);
  return steps.reverse();
}

function isDigest(steps: readonly Step[]): boolean {
  return steps.some((step) => typeof step === 'string' && step.endsWith(DIGEST_END));
}

function opens(box: SecretBox, text: string, documentId: string, field: string): boolean {
  try {
    box.open(text, documentId, field);
    return true;
  } catch {
    return false;
  }
}

function judge(box: SecretBox, documentId: string, place: Place): KeyedValue | undefined {
  const { value } = place;
  const [, realm, kid] = typeof value === 'string' ? (KEYED.exec(value) ?? []) : [];
  if (kid === undefined || typeof value !== 'string') return undefined;
  const steps = stepsTo(place);
  const found = { steps, field: placeName(steps), text: value, kid };
  if (isDigest(steps)) return { ...found, kind: 'digest' };
  if (realm !== 'v1' || box.kidOf(value) === undefined) return undefined;
  return { ...found, kind: opens(box, value, documentId, found.field) ? 'sealed' : 'strange' };
}

/** Everything in a document that was made with a key, however deep it stands. */
export function listKeyedValues(box: SecretBox, doc: StoredDoc): readonly KeyedValue[] {
  const found: KeyedValue[] = [];
  // A stack of our own: replicated documents may be nested deeper than calls can be.
  const left: Place[] = [{ above: undefined, step: undefined, value: doc }];
  for (let place = left.pop(); place !== undefined; place = left.pop()) {
    const value = judge(box, doc._id, place);
    if (value !== undefined) found.push(value);
    left.push(...placesBelow(place));
  }
  return found;
}

/** The same document with other texts in those places. */
export function replaceValues<T extends StoredDoc>(
  doc: T,
  changes: readonly { readonly steps: readonly Step[]; readonly text: string }[],
): T {
  const copy = structuredClone(doc);
  for (const { steps, text } of changes) {
    let parent: unknown = copy;
    for (const step of steps.slice(0, -1)) parent = memberOf(parent, step);
    const last = steps.at(-1);
    if (last !== undefined) (parent as Record<string | number, unknown>)[keyOf(last)] = text;
  }
  return copy;
}

function keyOf(step: Step): string | number {
  return typeof step === 'string' ? step : step.n - 1;
}

function memberOf(parent: unknown, step: Step): unknown {
  return (parent as Record<string | number, unknown>)[keyOf(step)];
}
