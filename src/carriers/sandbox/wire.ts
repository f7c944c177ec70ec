import { z } from 'zod';

/** The longest list that one call takes. */
export const LIST_MAX = 1000;
/** Names of usage files: they become names on the disk. */
export const FILE_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,120}$/;

const identifier = z.string().min(1).max(64);
const word = z.string().min(1).max(100);
const gregorianS = z.int().min(0).max(1e12);

/** A line as `/v1/lines` shows it (docs/carriers.md). */
export const lineSchema = z.strictObject({
  mdn: identifier.nullable().default(null),
  esn: identifier.nullable().default(null),
  sim: identifier.nullable().default(null),
  imsi: identifier.nullable().default(null),
  plan: word.nullable().default(null),
  features: z.array(word).max(100).default([]),
  carrier_data: z.record(word, z.string().max(200)).default({}),
  activation_date: gregorianS.nullable().default(null),
  suspended: z.boolean().default(false),
});

export const equipmentSchema = z.strictObject({
  esn: identifier,
  model: z.strictObject({ name: word, number: word, manufacturer: word }),
  msl: z.string().max(20).optional(),
});

/** A message is pushed without an id to get one; with an id it has, it is delivered again. */
export const messageSchema = z.strictObject({
  id: word.optional(),
  direction: z.enum(['in', 'out']),
  port_id: word.optional(),
  mdn: identifier,
  code: word,
  extended: word.optional(),
  source: word.default('carrier'),
  timestamp: gregorianS,
});

const utcTime = z.iso.datetime();

/** A record of a usage file; the order of its fields is that of the columns. */
export const usageRecordSchema = z.strictObject({
  session_id: word,
  record_type: z.enum(['interim', 'final']).default('final'),
  start: utcTime,
  end: utcTime,
  mdn: z.string().max(64),
  imsi: z.string().max(64).default(''),
  iccid: z.string().max(64).default(''),
  bytes: z.int().min(0),
});

export const FAULT_KINDS = [
  'latency',
  'hang',
  'reset',
  'error',
  'rejected',
  'rate_limited',
  'unavailable',
  'unauthorized',
  'redirect',
  'truncated_json',
  'malformed_json',
  'wrong_content_type',
  'oversized',
  'wrong_line',
  'duplicated_messages',
  'reordered_messages',
  'interim_records',
] as const;

/** One fault: what goes wrong, where, and how often. */
export const faultSchema = z.strictObject({
  kind: z.enum(FAULT_KINDS),
  /** Requests whose path begins so; default: wherever a fault of the kind makes sense. */
  path: z.string().startsWith('/v1').max(200).optional(),
  method: z.enum(['GET', 'POST']).optional(),
  /** null: until the faults are cleared. */
  times: z.int().min(1).max(1_000_000).nullable().default(1),
  /** With `latency`: how late the answer comes. */
  latency_ms: z.int().min(0).max(600_000).default(1000),
  /** With `error`: the status. */
  status: z.int().min(500).max(599).default(500),
  /** With `rate_limited` and `unavailable`. */
  retry_after_s: z.int().min(0).max(86_400).optional(),
});

export type SandboxLine = z.output<typeof lineSchema>;
export type SandboxEquipment = z.output<typeof equipmentSchema>;
export type SandboxMessage = z.output<typeof messageSchema> & { readonly id: string };
export type UsageRecord = z.output<typeof usageRecordSchema>;
export type Fault = z.output<typeof faultSchema>;

/** What the control endpoint takes: the same with the defaults left out. */
export type LineInput = z.input<typeof lineSchema>;
export type EquipmentInput = z.input<typeof equipmentSchema>;
export type MessageInput = z.input<typeof messageSchema>;
export type UsageRecordInput = z.input<typeof usageRecordSchema>;
export type FaultInput = z.input<typeof faultSchema>;
