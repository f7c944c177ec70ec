/** Any value that JSON can say. */
export type Json = null | boolean | number | string | Json[] | JsonObject;

/** A JSON object. */
export interface JsonObject {
  [key: string]: Json;
}

/** `syntax`: not JSON or not UTF-8. `depth`: nested too deep. `size`: more values than allowed. */
export type JsonErrorKind = 'syntax' | 'depth' | 'size';

/**
 * Text that `parseJson` refuses. The message never quotes the text, because bodies hold secrets
 * and the message reaches logs and answers.
 */
export class JsonError extends Error {
  readonly kind: JsonErrorKind;
  /** The message without the place. */
  readonly reason: string;
  /** Where in the text, in UTF-16 units; undefined when the engine did not say. */
  readonly offset: number | undefined;

  constructor(kind: JsonErrorKind, message: string, offset?: number) {
    super(offset === undefined ? message : `${message} at offset ${offset}`);
    this.name = 'JsonError';
    this.kind = kind;
    this.reason = message;
    this.offset = offset;
  }
}

const BYTE_ORDER_MARK = 0xfeff;
const QUOTE = 0x22;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/**
 * The value of a JSON text; throws {@link JsonError}. Depth counts open arrays and objects and is
 * bounded before the parser runs, because `JSON.stringify` and schema walks overflow the stack on
 * what `JSON.parse` still takes; so is the number of values where the caller sets a limit, because
 * millions of empty objects take many seconds. Own `__proto__` keys are dropped wherever they
 * stand, unless the caller keeps them to refuse what has them. Bytes that are not UTF-8, unpaired
 * surrogates and numbers beyond a double are refused: none of them would come back from the store
 * as it went in.
 */
export function parseJson(
  text: string | Buffer,
  options: { maxDepth?: number; maxValues?: number; keepsProto?: boolean } = {},
): Json {
  const decoded = withoutByteOrderMark(typeof text === 'string' ? text : decodeUtf8(text));
  checkExtent(decoded, options.maxDepth ?? 64, options.maxValues ?? Number.POSITIVE_INFINITY);
  return clean(parse(decoded), options.keepsProto === true);
}

/** True for anything JSON would write in braces: not null, not an array. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** True when two values say the same, whatever the order of their keys. */
export function jsonEquals(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (Array.isArray(a)) {
    if (!Array.isArray(b) || a.length !== b.length) return false;
    return a.every((item, n) => jsonEquals(item, b[n]));
  }
  if (!isJsonObject(a) || !isJsonObject(b)) return false;
  const keys = Object.keys(a);
  if (keys.length !== Object.keys(b).length) return false;
  return keys.every((key) => Object.hasOwn(b, key) && jsonEquals(a[key], b[key]));
}

function decodeUtf8(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new JsonError('syntax', 'text is not UTF-8');
  }
}

function withoutByteOrderMark(text: string): string {
  return text.charCodeAt(0) === BYTE_ORDER_MARK ? text.slice(1) : text;
}

/** A value more than the first is behind a comma or an opening bracket, so those are counted. */
function checkExtent(text: string, maxDepth: number, maxValues: number): void {
  let depth = 0;
  let values = 1;
  for (let n = 0; n < text.length; n += 1) {
    const unit = text.charCodeAt(n);
    if (unit === QUOTE) {
      n = endOfString(text, n);
    } else if (unit === COMMA) {
      values += 1;
    } else if (unit === OPEN_BRACE || unit === OPEN_BRACKET) {
      depth += 1;
      values += 1;
      if (depth > maxDepth) throw new JsonError('depth', `nested over ${maxDepth} levels`, n);
    } else if (unit === CLOSE_BRACE || unit === CLOSE_BRACKET) {
      depth -= 1;
    }
    if (values > maxValues) throw new JsonError('size', `over ${maxValues} values`, n);
  }
}

function endOfString(text: string, start: number): number {
  let n = start + 1;
  while (n < text.length) {
    const unit = text.charCodeAt(n);
    if (unit === QUOTE) return n;
    n += unit === BACKSLASH ? 2 : 1;
  }
  return n;
}

function parse(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch (error) {
    throw new JsonError('syntax', 'malformed JSON', offsetOf(error, text));
  }
}

function offsetOf(error: unknown, text: string): number | undefined {
  if (!(error instanceof SyntaxError)) return undefined;
  if (error.message.startsWith('Unexpected end')) return text.length;
  const position = / at position (\d+)/.exec(error.message)?.[1];
  return position === undefined ? undefined : Number(position);
}

function clean(value: Json, keepsProto: boolean): Json {
  if (typeof value === 'string') return checkText(value);
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new JsonError('syntax', 'number out of range');
    return value;
  }
  if (Array.isArray(value)) {
    for (let n = 0; n < value.length; n += 1) value[n] = clean(value[n] as Json, keepsProto);
  } else if (value !== null && typeof value === 'object') {
    cleanMembers(value, keepsProto);
  }
  return value;
}

/** `JSON.parse` makes `__proto__` a property of the object itself, and so does setting it here. */
function cleanMembers(object: JsonObject, keepsProto: boolean): void {
  for (const key of Object.keys(object)) {
    if (key === '__proto__' && !keepsProto) {
      delete object[key];
    } else {
      checkText(key);
      object[key] = clean(object[key] as Json, keepsProto);
    }
  }
}

function checkText(text: string): string {
  if (/\p{Surrogate}/u.test(text)) throw new JsonError('syntax', 'unpaired surrogate in a string');
  return text;
}
