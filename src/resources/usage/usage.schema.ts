import { z } from 'zod';
import { MONTH_MESSAGE, MONTHS_MAX, parseMonth } from '../../core/usage-month.js';
import { UNKNOWN_ACCOUNT } from './usage.csv.js';

const month = z
  .string()
  .refine((text) => parseMonth(text) !== undefined, { error: MONTH_MESSAGE })
  .meta({ examples: ['201610'] });

/** A path whose month is judged with the query, as a fault and not as an unknown path. */
export const monthParams = z.object({ month: z.string().meta({ examples: ['201610'] }) });

export const monthQuery = z.object({
  month: month.meta({ description: 'One month, UTC' }),
});

export const monthsQuery = z.object({
  from: month.optional().meta({
    description: `The first month; default: the current one. At most ${MONTHS_MAX} months.`,
  }),
  to: month.optional().meta({
    description: 'The last month; default: the current one. Before `from`: this month alone.',
  }),
  month: month.optional().meta({ description: 'A single month, in place of `from` and `to`' }),
});

const bytes = z.int().min(0);
const perMdn = z.record(z.string(), bytes).meta({ description: 'Bytes by number' });

const report = z.object({
  from: z.string(),
  to: z.string(),
  total: bytes.meta({ description: 'Bytes of all numbers below' }),
  empty_months: z
    .array(z.string())
    .optional()
    .meta({ description: 'Months without any usage; absent when there is none' }),
});

export const unknownAnswer = report.extend({
  per_mdn: perMdn.meta({ description: 'Bytes by number, of numbers that no line has' }),
});

export const auditAnswer = report.extend({
  accounts: z.record(z.string(), perMdn).meta({
    description: `Bytes by account and number; \`${UNKNOWN_ACCOUNT}\` has those that no line has`,
  }),
});
