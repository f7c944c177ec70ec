import type { z } from 'zod';
import { InvalidError, type Issue } from '../../core/errors.js';
import { isJsonObject } from '../../core/json.js';
import { validate } from '../../core/validation.js';
import type { RoutingKind } from './routing.doc.js';
import type { PatternJudge } from './routing.judge.js';
import { findTemplateFault, MAX_PATTERN, readPattern } from './routing.patterns.js';
import { clusterBody, directions, mediaBody, sbcBody } from './routing.schema.js';

/**
 * Characters of a document's JSON: many small patches may not make one that no client could send.
 */
const MAX_DOCUMENT = 1_000_000;

type Fields = Readonly<Record<string, unknown>>;

const bodies = {
  customer_cluster: clusterBody,
  carrier_sbc: sbcBody,
  media_server: mediaBody,
} as const satisfies Record<RoutingKind, z.ZodType>;

/** A text that the schema takes, so that what is wrong with its meaning is worth saying. */
function usable(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && value.length <= MAX_PATTERN;
}

function invalid(path: readonly string[], message: string, value: unknown): Issue {
  return { path, rule: 'invalid', message, details: { value } };
}

/** What is wrong with the pattern and the template of one direction. */
async function ruleIssues(direction: string, rule: unknown, judge: PatternJudge): Promise<Issue[]> {
  const toNumber = isJsonObject(rule) ? rule['to_number'] : undefined;
  if (!isJsonObject(toNumber)) return [];
  const { pattern, replace } = toNumber;
  const path = (field: string) => ['number_formatting', direction, 'to_number', field];
  const issues: Issue[] = [];
  let groups: number | undefined;
  if (usable(pattern)) {
    const read = readPattern(pattern);
    if (read.ok) groups = read.value.groups;
    const fault = read.ok ? await judge.judge(read.value) : read.fault;
    if (fault !== undefined) issues.push(invalid(path('pattern'), fault, pattern));
  }
  if (usable(replace)) {
    const fault = findTemplateFault(replace, groups);
    if (fault !== undefined) issues.push(invalid(path('replace'), fault, replace));
  }
  return issues;
}

async function patternIssues(fields: Fields, judge: PatternJudge): Promise<Issue[]> {
  const formatting = fields['number_formatting'];
  if (!isJsonObject(formatting)) return [];
  const issues: Issue[] = [];
  for (const direction of directions) {
    issues.push(...(await ruleIssues(direction, formatting[direction], judge)));
  }
  return issues;
}

/**
 * The public fields of a whole document, canonical and with defaults; throws an `InvalidError` with
 * all faults at once: `faults` that are known already, those of the schema and those of patterns.
 */
export async function checkFields(
  kind: RoutingKind,
  input: Fields,
  judge: PatternJudge,
  faults: readonly Issue[] = [],
): Promise<Fields> {
  const issues: Issue[] = [...faults];
  let fields: Fields = input;
  try {
    fields = validate(bodies[kind], input);
  } catch (error) {
    if (!(error instanceof InvalidError)) throw error;
    issues.push(...error.issues);
  }
  if (kind === 'carrier_sbc') issues.push(...(await patternIssues(input, judge)));
  if (JSON.stringify(fields).length > MAX_DOCUMENT) {
    const message = `The document must not be more than ${MAX_DOCUMENT} characters`;
    issues.push({ path: ['data'], rule: 'maxLength', message, details: { target: MAX_DOCUMENT } });
  }
  if (issues.length > 0) throw new InvalidError(issues);
  return fields;
}
