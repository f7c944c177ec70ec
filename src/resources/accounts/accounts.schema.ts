import { z } from 'zod';

const object = z.looseObject({});

/** Kazoo's realm rule; it removes spaces before it looks. */
const realm = z
  .string()
  .min(4)
  .max(253)
  .regex(/^[.\w-]+$/);

/** Kazoo's schema `accounts` (kazoo-accounts §1.2): unknown members are stored. */
export const accountBody = z
  .looseObject({
    name: z.string().min(1).max(128).meta({ description: 'A friendly name for the account' }),
    realm: realm.optional().meta({ description: 'The SIP realm; unique; made when absent' }),
    timezone: z
      .string()
      .min(3)
      .max(32)
      .optional()
      .meta({ examples: ['America/Los_Angeles'] }),
    enforce_authorized_ips: z.boolean().optional().meta({
      description: "true: the account's authorized IPs guard its own calls by key to /platform_api",
    }),
    enabled: z.boolean().optional().meta({
      description: 'Honoured when an ancestor of the account sets it',
    }),
    language: z.string().optional(),
    org: z.string().optional(),
    flags: z.array(z.string()).optional(),
    call_restriction: object.default({}),
    music_on_hold: z.looseObject({ media_id: z.string().max(2048).optional() }).default({}),
    preflow: z.looseObject({ always: z.string().optional() }).default({}),
    ringtones: z
      .looseObject({
        internal: z.string().max(256).optional(),
        external: z.string().max(256).optional(),
      })
      .default({}),
    caller_id: object.optional(),
    caller_id_options: z
      .looseObject({ outbound_privacy: z.enum(['full', 'name', 'number', 'none']).optional() })
      .optional(),
    call_recording: object.optional(),
    call_waiting: object.optional(),
    dial_plan: object.optional(),
    do_not_disturb: z.looseObject({ enabled: z.boolean().optional() }).optional(),
    formatters: object.optional(),
    metaflows: object.optional(),
    notifications: object.optional(),
    topup: z.looseObject({ threshold: z.number().optional() }).optional(),
    voicemail: object.optional(),
    zones: object.optional(),
  })
  .meta({ description: 'Accounts represent tenants or customers on the system' });

/** The members an account must not have by a client's word: they are derived or private. */
const DERIVED_MEMBERS: readonly string[] = [
  'api_key',
  'billing_mode',
  'created',
  'id',
  'is_reseller',
  'is_trial_account',
  'notification_preference',
  'reseller_id',
  'superduper_admin',
  'trial_time_left',
  'wnm_allow_additions',
];

/** What a client may set: its fields without the derived ones, the realm without spaces. */
export function settable(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const kept = Object.entries(fields).filter(([name]) => !DERIVED_MEMBERS.includes(name));
  const result: Record<string, unknown> = Object.fromEntries(kept);
  if (typeof result['realm'] === 'string') result['realm'] = result['realm'].replaceAll(' ', '');
  if (result['timezone'] === 'inherit') delete result['timezone'];
  return result;
}

export const accountAnswer = z.looseObject({
  id: z.string(),
  name: z.string(),
  realm: z.string().optional(),
  created: z.int(),
  enabled: z.boolean(),
  superduper_admin: z.boolean(),
  wnm_allow_additions: z.boolean(),
  is_reseller: z.boolean(),
  reseller_id: z.string().optional(),
  billing_mode: z.enum(['limits_only', 'normal', 'manual']),
  notification_preference: z.string().optional(),
  trial_time_left: z.int().optional().meta({ description: 'Seconds; trial accounts only' }),
});

export const deletedAccount = z.looseObject({
  id: z.string(),
  _read_only: z.strictObject({ deleted: z.literal(true) }),
});

export const childRows = z.array(
  z.strictObject({
    id: z.string(),
    name: z.string(),
    realm: z.string().optional(),
    descendants_count: z.int(),
    flags: z.array(z.string()),
  }),
);

export const descendantRows = z.array(
  z.strictObject({
    id: z.string(),
    name: z.string(),
    realm: z.string().optional(),
    tree: z.array(z.string()).meta({ description: 'Ancestors, root first' }),
    flags: z.array(z.string()),
  }),
);

export const treeRows = z.array(z.strictObject({ id: z.string(), name: z.string() }));

export const apiKeyStatus = z.strictObject({
  issued: z
    .int()
    .nullable()
    .meta({ description: 'When the key in force was issued, Gregorian seconds; null: none was' }),
});

export const newApiKey = z.strictObject({
  api_key: z.string().length(64).meta({ description: 'Shown this once; only a digest is stored' }),
});

/** What accounts can be searched by; each has a view. */
export const searchFields = ['id', 'name', 'realm'] as const;

export const searchQuery = z.object({
  t: z
    .string()
    .optional()
    .meta({ description: 'Document type: `account`, or a type such as user' }),
  q: z.string().optional().meta({ description: 'What to search in: id, name or realm' }),
  v: z.string().optional().meta({ description: 'The start of the value; empty lists all' }),
});

export const multiSearchQuery = z.object({
  t: z.string().optional(),
  by_id: z.string().optional(),
  by_name: z.string().optional(),
  by_realm: z.string().optional(),
});

export const searchRows = z.array(
  z.looseObject({
    id: z.string(),
    name: z.string().optional(),
    realm: z.string().optional(),
    descendants_count: z.int().optional(),
  }),
);

export const multiSearchAnswer = z.record(z.string(), searchRows);
