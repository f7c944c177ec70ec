import { z } from 'zod';
import { type IpNetwork, parseNetwork } from '../../core/ip-address.js';

const COUNT_DEFAULT = 50;
/** What a page has at most (contract §6). */
const COUNT_MAX = 1_000;
/** More than any account has. */
const OFFSET_MAX = 9_999_999_999;
const DESCRIPTION_MAX = 1_000;
const ALL = 'all';

function readNetwork(text: string, context: z.RefinementCtx): IpNetwork {
  const parsed = parseNetwork(text);
  if (parsed !== undefined) return parsed;
  context.addIssue({
    code: 'custom',
    message: 'must be an IPv4 or IPv6 address, or a network as address/length',
  });
  return z.NEVER;
}

/** An address or a network, in any of its spellings. */
const network = z.string().transform(readNetwork);

/** The SDKs spell booleans in four ways (reference A2). */
const flag = z.string().transform((text, context) => {
  if (/^(true|1)$/i.test(text)) return true;
  if (/^(false|0)$/i.test(text)) return false;
  context.addIssue({ code: 'custom', message: 'must be true or false' });
  return z.NEVER;
});

function whole(max: number, byDefault: number) {
  return z
    .string()
    .transform((text, context) => {
      const value = Number(text);
      if (/^\d{1,10}$/.test(text) && value <= max) return value;
      context.addIssue({ code: 'custom', message: `must be a whole number from 0 to ${max}` });
      return z.NEVER;
    })
    .default(byDefault);
}

const description = z.string().max(DESCRIPTION_MAX);

const authorizedIp = network.meta({
  description: 'An address or a network',
  examples: ['92.255.220.0/24'],
});

const allowed = flag.optional().meta({
  description: 'The white list (true) or the black list (false)',
});

export const addParams = z.object({
  authorized_ip: authorizedIp,
  allowed: flag.default(true).meta({ description: 'false: into the black list' }),
  description: description.optional(),
});

export const checkParams = z.object({ authorized_ip: authorizedIp });

const containsIp = network.meta({
  description: 'Those networks are meant that cover all of this address or network',
});

export const deleteParams = z
  .object({
    authorized_ip: z
      .string()
      .transform((text, context) => (text === ALL ? ALL : readNetwork(text, context)))
      .optional()
      .meta({ description: 'The network, or `all`' }),
    contains_ip: containsIp.optional(),
    allowed,
  })
  .superRefine((params, context) => {
    const given = [params.authorized_ip, params.contains_ip].filter((one) => one !== undefined);
    if (given.length === 1) return;
    context.addIssue({
      code: 'custom',
      path: [],
      message: 'give one of authorized_ip and contains_ip',
    });
  });

export const listParams = z.object({
  authorized_ip: authorizedIp.optional(),
  contains_ip: containsIp.optional(),
  allowed,
  description: description.optional(),
  count: whole(COUNT_MAX, COUNT_DEFAULT).meta({ description: `At most ${COUNT_MAX}` }),
  offset: whole(OFFSET_MAX, 0),
});

export const addAnswer = z.object({ result: z.literal(1) });

export const checkAnswer = z.object({
  result: z.boolean(),
  authorized_ip: z.string().optional().meta({ description: 'The network that decides, if any' }),
});

export const deleteAnswer = z.object({
  result: z.int().meta({ description: 'How many were removed, of both lists together' }),
});

export const listAnswer = z.object({
  result: z.array(
    z.object({
      allowed: z
        .union([z.enum(['true', 'false']), z.boolean()])
        .meta({ description: 'A text, or a boolean for accounts that are set so' }),
      created: z.string().meta({ description: 'UTC', examples: ['2015-02-01 20:10:15'] }),
      authorized_ip: z.string(),
    }),
  ),
  count: z.int(),
  total_count: z.int(),
});
