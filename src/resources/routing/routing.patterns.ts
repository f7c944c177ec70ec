import { RE2JS } from 're2js';

/** Characters of a pattern and of a replacement (contract §5). */
export const MAX_PATTERN = 256;

/** How an SBC rewrites a number: FreeSWITCH's regular expression and template. */
export interface NumberRule {
  readonly pattern: string;
  readonly replace: string;
}

/** A pattern that FreeSWITCH, RE2 and the judge of its run time all read alike. */
export interface Pattern {
  /** The expression without slashes and flags. */
  readonly source: string;
  /** `i`, `s`, both or neither. */
  readonly flags: string;
  readonly groups: number;
  /** The groups of the first match, the whole match as number 0; undefined when none. */
  match(text: string): readonly string[] | undefined;
}

/** A pattern, or why it is none. */
export type Read<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly fault: string };

const PRINTABLE = /^[ -~]*$/;
const FLAGS = /^(?:i?s?|si)$/;
/** An escape that means the same in PCRE, RE2 and ECMAScript. */
const SHARED_ESCAPE = /^\\(?:[dDwWsSbBtnrf]|x[0-9a-fA-F]{2}|[!-/:-@[-`{-~])/;
const QUANTIFIER = /^\{[0-9]+(?:,[0-9]*)?\}/;
/** Characters and classes of an expression whose repetitions are written out, at most. */
const MAX_WRITTEN_OUT = 1_000;
const RE2_TIMES_MAX = 1_000;
const GROUP_START = /^\((?!\?)|^\(\?:/;
/** FreeSWITCH reads a group's number into ten bytes, the last of which is zero. */
const MAX_GROUP_DIGITS = 9;

function fault(text: string): { readonly ok: false; readonly fault: string } {
  return { ok: false, fault: text };
}

/**
 * Splits FreeSWITCH's notation as its `switch_regex_perform` does: after a slash at the beginning
 * the expression goes up to the last slash and flags follow; a text without one is the expression
 * itself. FreeSWITCH ignores flags it does not know; here they are refused.
 */
function split(text: string): Read<{ source: string; flags: string }> {
  if (!text.startsWith('/')) {
    if (text.startsWith('_'))
      return fault('patterns in the notation of Asterisk are not supported');
    if (text.includes('/')) return fault('a pattern with a slash must begin with one: /…/flags');
    return { ok: true, value: { source: text, flags: '' } };
  }
  const end = text.lastIndexOf('/');
  if (end === 0) return fault('the closing slash is missing: /…/flags');
  const flags = text.slice(end + 1);
  if (!FLAGS.test(flags)) return fault('the flags behind the closing slash may be i and s');
  return { ok: true, value: { source: text.slice(1, end), flags } };
}

/** How far a class of characters reaches from its bracket, or what is wrong with it. */
function readClass(source: string, start: number): number | string {
  let at = start + (source[start + 1] === '^' ? 2 : 1);
  if (source[at] === ']') return 'a ] at the beginning of a class must be written \\]';
  while (at < source.length && source[at] !== ']') {
    if (source[at] === '[') return 'a [ in a class must be written \\[; there are no [:classes:]';
    const length = source[at] === '\\' ? SHARED_ESCAPE.exec(source.slice(at))?.[0].length : 1;
    if (length === undefined) return strangeEscape(source, at);
    at += length;
  }
  return at + 1;
}

function strangeEscape(source: string, at: number): string {
  return `${source.slice(at, at + 2)} does not mean the same to every engine`;
}

/**
 * What in an expression FreeSWITCH's PCRE, RE2 and ECMAScript read in different ways, or undefined.
 * A judgement of the run time counts only for what all of them take for the same expression.
 */
function findDialect(source: string): string | undefined {
  for (let at = 0; at < source.length; ) {
    const rest = source.slice(at);
    let length: number | undefined = 1;
    if (rest.startsWith('[')) {
      const end = readClass(source, at);
      if (typeof end === 'string') return end;
      length = end - at;
    } else if (rest.startsWith('\\')) {
      length = SHARED_ESCAPE.exec(rest)?.[0].length;
      if (length === undefined) return strangeEscape(source, at);
    } else if (rest.startsWith('(') && !GROUP_START.test(rest)) {
      return 'groups are (…) and (?:…); flags stand behind the closing slash';
    } else if (rest.startsWith('{')) {
      length = QUANTIFIER.exec(rest)?.[0].length;
      if (length === undefined) return 'a { that is no {n}, {n,} or {n,m} must be written \\{';
    }
    at += length;
  }
  return undefined;
}

/** The length of what stands at a place of an expression that is of no dialect. */
function lengthAt(source: string, at: number): number {
  const end = source[at] === '[' ? readClass(source, at) : undefined;
  if (typeof end === 'number') return end - at;
  const rest = source.slice(at);
  return (SHARED_ESCAPE.exec(rest) ?? QUANTIFIER.exec(rest))?.[0].length ?? 1;
}

/**
 * How long an expression is with its repetitions written out, which is what compiling it costs:
 * 256 characters are enough for one that holds up everybody for a second.
 */
function lengthWrittenOut(source: string): number {
  const outer: number[] = [];
  let sum = 0;
  let last = 0;
  for (let at = 0; at < source.length; at += lengthAt(source, at)) {
    const sign = source[at] ?? '';
    if (sign === '(') {
      outer.push(sum);
      sum = 0;
    } else if (sign === ')') {
      last = sum + 1;
      sum = last + (outer.pop() ?? 0);
    } else if (sign === '{') {
      const counts = source
        .slice(at + 1, at + lengthAt(source, at) - 1)
        .split(',')
        .map(Number);
      const times = Math.max(1, ...counts);
      // What is more than RE2 takes at all it refuses at once, and in better words.
      const more = times > RE2_TIMES_MAX ? 0 : times - 1;
      sum += last * more;
      last += last * more;
    } else if (!'*+?'.includes(sign)) {
      last = 1;
      sum += 1;
    }
  }
  return sum;
}

function compile(source: string, flags: string): Read<Pattern> {
  const bits =
    (flags.includes('i') ? RE2JS.CASE_INSENSITIVE : 0) | (flags.includes('s') ? RE2JS.DOTALL : 0);
  let compiled: RE2JS;
  try {
    compiled = RE2JS.compile(source, bits);
  } catch (error) {
    return fault(`no regular expression: ${error instanceof Error ? error.message : 'unreadable'}`);
  }
  const groups = compiled.groupCount();
  return {
    ok: true,
    value: {
      source,
      flags,
      groups,
      match(text) {
        const matcher = compiled.matcher(text);
        if (!matcher.find()) return undefined;
        return Array.from({ length: groups + 1 }, (_, n) => matcher.group(n) ?? '');
      },
    },
  };
}

/** Reads a pattern in FreeSWITCH's notation; RE2 runs it, in time linear in the text. */
export function readPattern(text: string): Read<Pattern> {
  if (text.length > MAX_PATTERN) return fault(`longer than ${MAX_PATTERN} characters`);
  if (!PRINTABLE.test(text)) return fault('only printable ASCII characters are allowed');
  const parts = split(text);
  if (!parts.ok) return parts;
  const { source, flags } = parts.value;
  if (source === '') return fault('the pattern is empty');
  const dialect = findDialect(source);
  if (dialect !== undefined) return fault(dialect);
  if (lengthWrittenOut(source) > MAX_WRITTEN_OUT) {
    return fault(
      `its repetitions are too many: written out more than ${MAX_WRITTEN_OUT} characters`,
    );
  }
  return compile(source, flags);
}

/**
 * What is wrong with a template for a pattern of so many groups (undefined: unknown, as the
 * pattern is faulty itself), or undefined. `${1}` is refused: older versions of FreeSWITCH print
 * it, newer ones put the group in its place.
 */
export function findTemplateFault(replace: string, groups: number | undefined): string | undefined {
  if (!PRINTABLE.test(replace)) return 'only printable ASCII characters are allowed';
  if (replace.includes('${')) return 'a group is $1, without braces';
  for (const [name, digits = ''] of replace.matchAll(/\$([0-9]+)/g)) {
    if (digits.length > MAX_GROUP_DIGITS) return `${name} is no group: the number is too long`;
    if (groups !== undefined && Number(digits) > groups) {
      return `${name} is no group of the pattern, which has ${groups}`;
    }
  }
  return undefined;
}

/**
 * The template with the groups in it, as FreeSWITCH's `switch_perform_substitution`: `$` and all
 * digits behind it are a group's number, a group that is not there is empty, and nothing else is
 * special.
 */
export function expandTemplate(replace: string, groups: readonly string[]): string {
  return replace.replaceAll(/\$([0-9]+)/g, (_, digits: string) => groups[Number(digits)] ?? '');
}

/** What becomes of a number. */
export interface FormattedNumber {
  readonly number: string;
  readonly isMatched: boolean;
  /** Why the pattern cannot be run; such a pattern never matches. */
  readonly fault?: string;
}

/**
 * Rewrites a number: the result is the whole template, not the number with a part replaced. The
 * pattern sees the digits without a plus in front; without a match the number stays as it is.
 */
export function formatNumber(rule: NumberRule, number: string): FormattedNumber {
  const pattern = readPattern(rule.pattern);
  if (!pattern.ok) return { number, isMatched: false, fault: pattern.fault };
  const groups = pattern.value.match(number.replace(/^\+/, ''));
  if (groups === undefined) return { number, isMatched: false };
  return { number: expandTemplate(rule.replace, groups), isMatched: true };
}
