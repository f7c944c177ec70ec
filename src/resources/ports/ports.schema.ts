import { z } from 'zod';
import { readDeviceId } from '../../core/device-id.js';
import { MDN_MESSAGE, parseMdn } from '../../core/mdn.js';
import { pageQuery } from '../../surfaces/crossbar/paging.js';
import { codesOf, type PortDirection } from './ports.status.js';

const ID = /^[0-9a-f]{32}$/;
const TEXT_MAX = 64;
const REASON_MAX = 64;

const mdn = z
  .string()
  .max(TEXT_MAX)
  .refine((text) => parseMdn(text) !== undefined, {
    message: MDN_MESSAGE,
    params: { rule: 'wrong_format' },
  })
  .transform((text) => parseMdn(text) ?? text);

const esn = z
  .string()
  .max(TEXT_MAX)
  .superRefine((text, context) => {
    const read = readDeviceId(text, { strict: true });
    if ('id' in read) return;
    context.addIssue({ code: 'custom', message: read.message, params: { rule: read.rule } });
  })
  .transform((text) => {
    const read = readDeviceId(text, { strict: true });
    return 'id' in read ? read.id : text;
  });

/** A port in to begin. */
export const portBody = z
  .strictObject({
    mdn: mdn.meta({ description: 'The number that comes in, in any spelling' }),
    subscription_id: z
      .string()
      .regex(ID)
      .optional()
      .meta({ description: 'The line that it comes to' }),
    esn: esn.optional().meta({ description: 'The device of that line, in any spelling' }),
  })
  .refine((data) => data.subscription_id !== undefined || data.esn !== undefined, {
    path: ['subscription_id'],
    message: 'Name the line by subscription_id or by esn',
    params: { rule: 'required' },
    when: ({ value }) => typeof value === 'object' && value !== null,
  })
  .meta({ description: 'A number that is ported in to a line' });

export const portEnvelope = z.object({
  carrier: z
    .string()
    .min(1)
    .max(TEXT_MAX)
    .optional()
    .meta({ description: "The line's carrier; another one is refused" }),
});

/** A status that people set. */
export const statusBody = z
  .strictObject({
    code: z.enum(codesOf('in') as [string, ...string[]]),
    source: z.enum(['carrier', 'top']).meta({
      description: 'Who brings the status about: `top` for submitted, `carrier` for the others',
    }),
    extended: z.string().min(1).max(REASON_MAX).optional().meta({
      description: 'What was sent (submitted) or why (rejected); nothing with the other codes',
    }),
    forced_update: z.unknown().meta({ description: 'Ignored: it is always stored as true' }),
  })
  .partial({ forced_update: true })
  .meta({ description: 'Where a port stands' });

/** An empty object, or nothing at all. */
export const pollBody = z.looseObject({});

export const portParams = z.object({
  port_id: z.string().regex(ID).meta({ description: 'Port ID, 32 lower-case hex' }),
});

/** The query of a listing of a direction's ports. */
export function portQueryOf(direction: PortDirection) {
  return pageQuery.extend({
    status: z
      .enum(codesOf(direction) as [string, ...string[]])
      .optional()
      .meta({ description: 'Only ports that stand there' }),
    mdn: mdn.optional().meta({
      description: 'Only ports of that number, all on one page; write + as %2B',
    }),
  });
}

const status = z.strictObject({
  code: z.string(),
  extended: z.string().optional(),
  source: z.string(),
  timestamp: z.int().meta({ description: 'Gregorian seconds' }),
  forced_update: z
    .literal(true)
    .optional()
    .meta({ description: 'Set by people and not by the carrier' }),
});

const portRow = z.strictObject({
  id: z.string(),
  direction: z.enum(['in', 'out']),
  mdn: z.string(),
  status,
  carrier_name: z.string(),
  mvno_id: z.string(),
  cluster_id: z.string(),
  account_id: z.string().optional(),
  subscription_id: z.string().optional(),
  device_id: z.string().optional(),
  created: z.int().meta({ description: 'Gregorian seconds' }),
  modified: z.int().meta({ description: 'Gregorian seconds' }),
});

export const portRows = z.array(portRow);

export const portAnswer = portRow.extend({
  status_history: z.array(status).meta({
    description: 'The current status is the last; the oldest of very many are gone',
  }),
});

export const portMembers = { carrier: z.string() };

const count = z.int().min(0);

export const pollAnswer = z.strictObject({
  already_running: z.boolean().meta({
    description: 'At least one of the carriers was being polled by somebody else',
  }),
  carriers: z.array(
    z.strictObject({
      mvno_id: z.string(),
      carrier: z.string(),
      already_running: z.boolean(),
      received: count.meta({ description: 'Messages; the five counts that follow add up to it' }),
      applied: count,
      duplicates: count,
      late: count.meta({ description: 'Older than what the port has, or the port is finished' }),
      unknown: count.meta({ description: 'Of a port or with a code that nobody knows' }),
      refused: count.meta({ description: 'Not possible, such as a number another line has' }),
      has_more: z.boolean().meta({ description: 'The next poll goes on' }),
      errors: z
        .array(z.strictObject({ error: z.string(), message: z.string() }))
        .meta({ description: 'Why the carrier could not be polled to the end' }),
    }),
  ),
});
