import { z } from 'zod';
import { isJsonObject, type JsonObject, jsonEquals } from '../../core/json.js';
import { isPrivateField } from '../../core/private-fields.js';
import { pageQuery } from '../../surfaces/crossbar/paging.js';
import { accountParams } from '../../surfaces/crossbar/shapes.js';
import type { DeviceFields, UsagePolicy } from './devices.doc.js';
import { joinedSubscription } from './subscriptions.schema.js';

/** Texts of one member, characters. */
const MAX_TEXT = 256;
/** The rates that carriers have a feature for. */
const RATES = ['64k', '128k', '256k', '512k'] as const;
/** Of a policy without one; it does not matter before there is a cap. */
const DEFAULT_RATE = '256k';

const text = z.string().min(1).max(MAX_TEXT);
const object = z.record(z.string(), z.unknown());

const cap = z
  .int()
  .min(0)
  .meta({ description: 'Bytes; 0 or absent: no cap', examples: [2_000_000_000] });

/** Nothing else is taken: a misspelt cap would cap nothing. */
const policies = {
  blocking: z
    .strictObject({ cap: cap.exactOptional() })
    .exactOptional()
    .meta({ description: 'After so many bytes data is blocked' }),
  throttling: z
    .strictObject({ cap: cap.exactOptional(), rate: z.enum(RATES).exactOptional() })
    .exactOptional()
    .meta({ description: 'After so many bytes data is slowed down to the rate' }),
} as const;
const POLICY_NAMES = ['blocking', 'throttling'] as const;

/** A usage policy as it is stored, of devices and of accounts. */
export const usagePolicy = z.strictObject(policies).meta({ description: 'Usage policy' });

function capsMessage(name: string): string {
  return `data.caps.${name} and data.${name} differ: leave one of them out`;
}

/**
 * A usage policy as clients send it: `caps.blocking` and `caps.throttling` stand for the same
 * without `caps` (top-support.md A4-1), which is how it is stored.
 */
const sentPolicy = z
  .strictObject({
    ...policies,
    caps: z
      .strictObject(policies)
      .exactOptional()
      .meta({ description: 'Another place for the same; a difference is a 400' }),
  })
  .check(({ value, issues }) => {
    for (const name of POLICY_NAMES) {
      const inCaps = value.caps?.[name];
      const beside = value[name];
      if (inCaps === undefined || beside === undefined || jsonEquals(inCaps, beside)) continue;
      const path = ['caps', name];
      issues.push({ code: 'custom', path, message: capsMessage(name), input: value });
    }
  })
  .transform(({ caps, ...flat }) => ({ ...caps, ...flat }))
  .meta({ description: 'Usage policy; default: that of the account, or else no cap' });

const voice = z.looseObject({
  protocol: z.string().min(1).max(32).default('sip'),
  sip: z
    .looseObject({
      realm: text.exactOptional(),
      username: text.exactOptional(),
      password: text.exactOptional().meta({ description: 'Kept sealed' }),
      uri: text.exactOptional(),
    })
    .exactOptional(),
  dns: z.boolean().exactOptional(),
  cluster_id: z
    .string()
    .regex(/^[0-9a-f]{32}$/)
    .exactOptional()
    .meta({ description: 'Where calls go, if not to the cluster of the device' }),
});

const model = z.looseObject({
  name: z.string().max(MAX_TEXT).exactOptional(),
  number: z.string().max(MAX_TEXT).exactOptional(),
  manufacturer: z.string().max(MAX_TEXT).exactOptional(),
});

const members = {
  name: z
    .string()
    .min(1)
    .max(128)
    .exactOptional()
    .meta({ examples: ["Joe's Mobile Phone"] }),
  model: model.exactOptional().meta({ description: 'Default: as the carrier has it' }),
  msl: z.string().min(1).max(20).exactOptional().meta({ description: 'Master Subsidy Lock' }),
  voice: voice.exactOptional(),
  additional_properties: object.exactOptional(),
} as const;

/** The public fields of a whole device, as they are stored: `data` has no `caps`. */
export const deviceFields = z.looseObject({ ...members, data: usagePolicy.exactOptional() });

/** The members of a device that a client may send. */
export const sentMembers = { ...members, data: sentPolicy.exactOptional() } as const;

/** Members of a device's answer that are none of its fields: sent back, they say nothing. */
const DERIVED: readonly string[] = ['id', 'subscription', 'esn_display'];

/** What a new device takes of an object that was checked by {@link sentMembers}. */
export function settableFields(fields: Readonly<Record<string, unknown>>): DeviceFields {
  const isSettable = (name: string) => !isPrivateField(name) && !DERIVED.includes(name);
  return Object.fromEntries(Object.entries(fields).filter(([name]) => isSettable(name)));
}

/** A policy with everything that the pages print. */
export function wholePolicy(policy: UsagePolicy | undefined) {
  const { blocking, throttling } = policy ?? {};
  return {
    blocking: { cap: blocking?.cap ?? 0 },
    throttling: { cap: throttling?.cap ?? 0, rate: throttling?.rate ?? DEFAULT_RATE },
  };
}

/** Where `caps` of a PATCH says otherwise than what stands beside it; below `data`. */
export interface CapsFault {
  readonly path: readonly string[];
  readonly message: string;
}

/**
 * `data` of a device in a PATCH, without its `caps`. A policy there that is as the device shows it
 * was sent back unchanged and says nothing (contract §5); any other stands for the one beside it,
 * and is a fault where both are there and differ.
 */
export function foldCaps(
  data: JsonObject,
  before: UsagePolicy | undefined,
): { readonly data: JsonObject; readonly faults: readonly CapsFault[] } {
  const { caps, ...folded } = data;
  if (!isJsonObject(caps)) return { data, faults: [] };
  const faults: CapsFault[] = [];
  const strange: JsonObject = {};
  for (const [name, policy] of Object.entries(caps)) {
    const known = POLICY_NAMES.find((each) => each === name);
    if (known === undefined) strange[name] = policy;
    else if (jsonEquals(policy, wholePolicy(before)[known])) continue;
    else if (!Object.hasOwn(folded, known)) folded[known] = policy;
    else if (!jsonEquals(policy, folded[known])) {
      faults.push({ path: ['caps', known], message: capsMessage(known) });
    }
  }
  // What is no policy stays where it is, so that the schema names it.
  const hasStrange = Object.keys(strange).length > 0;
  return { data: hasStrange ? { ...folded, caps: strange } : folded, faults };
}

/** What may be patched: any field, and the subscription of the device through it. */
export const devicePatch = z.looseObject({
  ...sentMembers,
  subscription: z
    .looseObject({})
    .optional()
    .meta({ description: 'Changes of its subscription, whose document is written then' }),
});

export const deviceParams = accountParams.extend({
  device_id: z
    .string()
    .min(1)
    .max(64)
    .meta({ description: 'ESN, MEID or IMEI in any of their spellings, or the MDN of the device' }),
});

export const deviceListQuery = pageQuery;

const shownPolicy = {
  blocking: z.strictObject({ cap: z.int() }),
  throttling: z.strictObject({ cap: z.int(), rate: z.enum(RATES) }),
} as const;

const answerMembers = {
  ...members,
  id: z.string().meta({ description: 'ESN or MEID in hexadecimal digits, or IMEI' }),
  subscription: joinedSubscription
    .nullable()
    .meta({ description: 'null: the device is detached, no subscription names it' }),
} as const;

export const deviceAnswer = z.looseObject({ ...answerMembers, data: z.strictObject(shownPolicy) });

/** With the alias `caps`, as the page prints it for imports and look-ups. */
export const cappedDeviceAnswer = z.looseObject({
  ...answerMembers,
  data: z.strictObject({ ...shownPolicy, caps: z.strictObject(shownPolicy) }),
});

export const devicesAnswer = z.array(deviceAnswer);
