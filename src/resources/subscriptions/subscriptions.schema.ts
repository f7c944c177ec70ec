import { z } from 'zod';
import { readDeviceId } from '../../core/device-id.js';
import { InvalidError, type Issue } from '../../core/errors.js';
import { MDN_MESSAGE, parseMdn } from '../../core/mdn.js';
import { parseSim, SIM_MESSAGE } from '../../core/sim.js';
import { pageQuery } from '../../surfaces/crossbar/paging.js';
import { accountParams } from '../../surfaces/crossbar/shapes.js';

/** Texts of one identifier, with the separators people write. */
const MAX_IDENTIFIER = 64;
/** Names of plans, features and carriers. */
const MAX_WORD = 100;
const MAX_FEATURES = 100;
/** Gregorian seconds, some thirty thousand years. */
const MAX_TIME = 1e12;

const word = z.string().min(1).max(MAX_WORD);
const object = z.record(z.string(), z.unknown());
const FORMAT = { code: 'custom', params: { rule: 'wrong_format' } } as const;
const hexId = z.string().regex(/^[0-9a-f]{32}$/);

/** A phone number in any spelling of core/mdn.ts; read as E.164. */
export const mdnText = z
  .string()
  .meta({
    description: 'Phone number; without + one of North America',
    examples: ['+14157487153'],
  })
  .transform((text, { addIssue }) => {
    const mdn = parseMdn(text);
    if (mdn === undefined) addIssue({ ...FORMAT, message: MDN_MESSAGE, input: text });
    return mdn ?? z.NEVER;
  });

/** An ESN, MEID or IMEI in any spelling of core/device-id.ts; read as the canonical one. */
export const esnText = z
  .string()
  .meta({
    description: 'ESN, MEID or IMEI, hexadecimal or decimal, with or without check digit',
    examples: ['A10000009296F2'],
  })
  .transform((text, { addIssue }) => {
    const device = readDeviceId(text, { strict: true });
    if (!('rule' in device)) return device.id;
    const { rule, message } = device;
    addIssue({ code: 'custom', message, params: { rule }, input: text });
    return z.NEVER;
  });

/** The number of a SIM (ICCID); read as digits alone. */
export const simText = z
  .string()
  .meta({ description: 'Number of the SIM (ICCID)', examples: ['89148000000745809013'] })
  .transform((text, { addIssue }) => {
    const sim = parseSim(text);
    if (sim === undefined) addIssue({ ...FORMAT, message: SIM_MESSAGE, input: text });
    return sim ?? z.NEVER;
  });

/** The three identifiers of a line; answers show null for what it has not, so null is taken. */
export const identifierMembers = {
  esn: esnText.nullish(),
  sim: simText.nullish(),
  mdn: mdnText.nullish(),
} as const;

type Given = Readonly<Record<'esn' | 'sim' | 'mdn', string | null | undefined>>;

/** For `.check()`: one of `kinds` has to be there, and each of them is named otherwise. */
export function needsOneOf(kinds: readonly (keyof Given)[]) {
  const message = `one of ${kinds.join(', ')} is required`;
  return ({ value, issues }: { value: Partial<Given>; issues: z.core.$ZodRawIssue[] }): void => {
    if (kinds.some((kind) => value[kind] != null)) return;
    for (const kind of kinds) {
      const params = { rule: 'required' };
      issues.push({ code: 'custom', path: [kind], message, params, input: value });
    }
  };
}

/** The body of a look-up. */
export const lookupBody = z
  .looseObject(identifierMembers)
  .check(needsOneOf(['esn', 'sim', 'mdn']))
  .meta({
    description: 'At least one of esn, sim and mdn; mdn is asked for before sim before esn',
  });

const fieldMembers = {
  features: z.array(word).max(MAX_FEATURES).default([]),
  suspended: z.boolean().default(false),
  carrier_data: object.default({}).meta({ description: 'What only this carrier has: msid, csa' }),
  activation_date: z
    .int()
    .min(0)
    .max(MAX_TIME)
    .exactOptional()
    .meta({ description: 'Gregorian seconds' }),
  additional_properties: object.exactOptional(),
} as const;

/**
 * The public fields of a whole subscription, canonical and with defaults; what a PATCH leaves is
 * judged by it. `id` and `carrier_name` are no fields and must be taken out before.
 */
export const subscriptionFields = z
  .looseObject({
    mdn: mdnText.nullable().default(null),
    esn: esnText.nullable().default(null),
    sim: simText.nullable().default(null),
    imsi: z.string().min(1).max(MAX_IDENTIFIER).nullable().default(null),
    plan: word.nullable().default(null),
    ...fieldMembers,
  })
  .check(needsOneOf(['esn', 'sim', 'mdn']));

/** The name of a carrier as a PATCH sets it. */
export const carrierName = word.meta({ examples: ['sprint'] });

/** What may be patched: any field. */
export const subscriptionPatch = z.looseObject({
  ...identifierMembers,
  imsi: z.string().max(MAX_IDENTIFIER).nullish(),
  plan: word.nullish(),
  ...fieldMembers,
  carrier_name: carrierName.optional(),
});

export const carrierEnvelope = z.object({
  carrier: word
    .optional()
    .meta({ description: 'Ignored where the MVNO has one carrier', examples: ['sprint'] }),
});

export const carrierQuery = carrierEnvelope;

/** These documents are patched shallowly unless told otherwise (contract §4). */
export const recursiveEnvelope = z.object({
  recursive: z
    .boolean()
    .default(false)
    .meta({ description: 'true: objects are merged; false: they are replaced' }),
});

export const cascadeQuery = z.object({
  cascade: z
    .enum(['true', 'false'])
    .default('false')
    .meta({ description: 'true: its device is deleted as well, instead of being detached' }),
});

const targets = {
  target_account_id: hexId.optional().meta({ description: 'The account that gets it' }),
  target_cluster_id: hexId
    .optional()
    .meta({ description: 'The cluster of that account; default: the cluster it is in' }),
} as const;

/** Where a subscription is moved to; the page's sample has it beside `data`, its schema inside. */
export const moveBody = z.looseObject(targets);
export const moveEnvelope = z.object(targets);

export interface MoveTarget {
  readonly targetAccountId: string;
  readonly targetClusterId: string | undefined;
}

/** The target, wherever it stands. Two that differ and none at all are an `InvalidError`. */
export function readTarget(
  data: z.output<typeof moveBody>,
  envelope: z.output<typeof moveEnvelope>,
): MoveTarget {
  const issues: Issue[] = [];
  const read = (name: keyof typeof targets): string | undefined => {
    const [inside, beside] = [data[name], envelope[name]];
    if (inside !== undefined && beside !== undefined && inside !== beside) {
      const message = `differs from the ${name} beside data`;
      issues.push({ path: [name], rule: 'invalid', message, details: { value: inside } });
    }
    return inside ?? beside;
  };
  const targetAccountId = read('target_account_id');
  const targetClusterId = read('target_cluster_id');
  if (targetAccountId === undefined) {
    const message = 'Field is required but missing';
    const details = { value: 'target_account_id' };
    issues.push({ path: ['target_account_id'], rule: 'required', message, details });
  }
  if (issues.length > 0 || targetAccountId === undefined) throw new InvalidError(issues);
  return { targetAccountId, targetClusterId };
}

export const subscriptionParams = accountParams.extend({
  subscription_id: z.string().min(1).max(128).meta({ description: 'Subscription ID' }),
});

export const mdnParams = z.object({
  mdn: z.string().meta({ description: 'Phone number, + or %2B or neither before it' }),
});
export const esnParams = z.object({
  esn: z.string().meta({ description: 'ESN, MEID or IMEI in any of their spellings' }),
});

/** What is wrong with an identifier in a path is said as in a body. */
export const mdnPath = z.object({ mdn: mdnText });
export const esnPath = z.object({ esn: esnText });

export const lineListQuery = pageQuery;

const identifiers = {
  esn: z.string().nullable().meta({ description: 'The id of its device' }),
  mdn: z.string().nullable(),
  sim: z.string().nullable(),
  imsi: z.string().nullable(),
  plan: z.string().nullable(),
  features: z.array(z.string()),
  carrier_data: object.meta({ examples: [{ msid: '000004156375241', csa: 'SFRSFR415' }] }),
} as const;

/** A subscription as the answers about devices have it. */
export const joinedSubscription = z.looseObject({
  id: z.string(),
  ...identifiers,
  suspended: z.boolean(),
  activation_date: z.int().optional(),
});

export const subscriptionAnswer = z.looseObject({
  id: z.string(),
  ...identifiers,
  suspended: z.boolean(),
  activation_date: z.int().optional(),
  carrier_name: z.string(),
  additional_properties: object
    .optional()
    .meta({ examples: [{ last_manual_update: 63751259950 }] }),
});

export const subscriptionsAnswer = z.array(subscriptionAnswer);

const carrierOnly = {
  activation_date: z.int().nullable().meta({ description: 'Gregorian seconds' }),
  suspended: z.boolean(),
} as const;

/** A line as its carrier tells it, identifiers canonical. */
export const carrierLineAnswer = z.strictObject({ ...identifiers, ...carrierOnly });

export const lookupAnswer = z.strictObject({
  carrier_data: z.strictObject({ ...identifiers, carrier: z.string(), ...carrierOnly }),
  account_id: z.string().optional().meta({ description: 'The account that has it' }),
  document: z
    .looseObject({ _id: z.string() })
    .optional()
    .meta({ description: 'The whole document, private fields too, where there is one' }),
});

/** Members beside `data` of the answers. */
export const carrierMember = { carrier: z.string().optional() };
export const holderMembers = { ...carrierMember, account_id: z.string() };
