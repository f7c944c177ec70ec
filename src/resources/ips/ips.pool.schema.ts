import { z } from 'zod';
import { InvalidError, type Issue } from '../../core/errors.js';
import { type IpAddress, parseIp } from '../../core/ip-address.js';
import { addressesOf, countAddresses, MAX_BLOCK, parseBlock } from '../../core/ip-block.js';
import { validate } from '../../core/validation.js';
import { pageQuery } from '../../surfaces/crossbar/paging.js';
import {
  createdIp,
  ipBody,
  ipDetails,
  ipsBody,
  MAX_QUANTITY,
  MAX_ZONE,
  status,
} from './ips.schema.js';

const { zone, host } = ipBody.shape;

/** What assigns addresses to an account: those that are named, or so many free ones. */
export const assignBody = ipsBody
  .safeExtend({
    quantity: z.int().min(1).max(MAX_QUANTITY).optional().meta({
      description: 'So many free addresses, all or none; not together with `ips`',
    }),
    zone: z
      .string()
      .max(MAX_ZONE)
      .optional()
      .meta({ description: 'With `quantity`: the zone they are of; any zone when absent' }),
  })
  .superRefine(({ ips, quantity, zone: wanted }, context) => {
    if (wanted !== undefined && quantity === undefined) {
      context.addIssue({
        code: 'custom',
        path: ['quantity'],
        message: 'a zone needs a quantity: how many of its free addresses',
        params: { rule: 'required' },
      });
    }
    if (ips === undefined || quantity === undefined) return;
    context.addIssue({
      code: 'custom',
      path: ['quantity'],
      message: 'quantity picks free addresses and ips names them: send one of the two',
      params: { rule: 'superfluous' },
    });
  });

/** The ways to say which addresses are new. */
const SOURCES = ['ip', 'ips', 'cidr'] as const;

const blockBody = z.looseObject({
  ips: z.array(z.string()).min(1).max(MAX_BLOCK).optional(),
  cidr: z.string().optional(),
  zone,
  host,
});

/** What the API pages show of `PUT /ips`; {@link readNewIps} says what is wrong with a body. */
export const newIpsBody = blockBody
  .extend({
    ip: ipBody.shape.ip.optional(),
    ips: blockBody.shape.ips.meta({ description: 'Several addresses, each counted once' }),
    cidr: blockBody.shape.cidr.meta({
      description:
        `A prefix without host bits, of at most ${MAX_BLOCK} addresses, ` +
        'the first and the last included',
      examples: ['192.0.2.0/28', '2001:db8::/120'],
    }),
  })
  .meta({ description: 'Exactly one of ip, ips and cidr' });

/** One address, or a block of them in one zone and with one host. */
export type NewIps =
  | { readonly kind: 'one'; readonly fields: z.output<typeof ipBody> }
  | {
      readonly kind: 'block';
      readonly ips: Iterable<IpAddress>;
      readonly count: number;
      readonly zone: string;
      readonly host: string;
    };

function issuesOf(check: () => unknown): Issue[] {
  try {
    check();
    return [];
  } catch (error) {
    if (error instanceof InvalidError) return [...error.issues];
    throw error;
  }
}

/** The addresses of a list, and what is wrong with the others. */
function readList(texts: unknown): { ips: IpAddress[]; issues: Issue[] } {
  const ips = new Set<IpAddress>();
  const issues: Issue[] = [];
  for (const [n, text] of (Array.isArray(texts) ? texts : []).entries()) {
    if (typeof text !== 'string') continue;
    const ip = parseIp(text);
    if (ip !== undefined) ips.add(ip);
    else issues.push(issueAt(['ips', n], 'not_one_schema_valid', 'failed to validate', text));
  }
  return { ips: [...ips], issues };
}

function issueAt(
  path: (string | number)[],
  rule: string,
  message: string,
  value: unknown,
  more: object = {},
): Issue {
  return { path, rule, message, details: { ...more, value } };
}

function readCidr(text: unknown): { ips: Iterable<IpAddress>; count: number; issues: Issue[] } {
  const nothing = { ips: [], count: 0 };
  // A value of another type is the schema's to refuse.
  if (typeof text !== 'string') return { ...nothing, issues: [] };
  const block = parseBlock(text);
  if (!('fault' in block)) {
    return { ips: addressesOf(block), count: countAddresses(block), issues: [] };
  }
  const words = {
    format: () => issueAt(['cidr'], 'wrong_format', 'Field is not in the correct format', text),
    size: () =>
      issueAt(['cidr'], 'maximum', `The block has more than ${MAX_BLOCK} addresses`, text, {
        target: MAX_BLOCK,
      }),
    hostBits: () => {
      const meant = block.fault === 'hostBits' ? block.network : '';
      return issueAt(['cidr'], 'invalid', `Host bits are set; the network is ${meant}`, text);
    },
  };
  return { ...nothing, issues: [words[block.fault]()] };
}

/** Reads the body of `PUT /ips`; {@link InvalidError} with everything that is wrong with it. */
export function readNewIps(data: Readonly<Record<string, unknown>>): NewIps {
  const named = SOURCES.filter((name) => data[name] !== undefined);
  const [source = 'ip', ...others] = named;
  if (source === 'ip' && others.length === 0) {
    return { kind: 'one', fields: validate(ipBody, data) };
  }
  const list = readList(data['ips']);
  const cidr = readCidr(data['cidr']);
  const issues = [
    ...others.map((name): Issue => {
      const message = `send one of ${SOURCES.join(', ')}, not ${named.join(' and ')}`;
      return { path: [name], rule: 'superfluous', message };
    }),
    ...issuesOf(() => validate(source === 'ip' ? ipBody : blockBody, data)),
    ...list.issues,
    ...cidr.issues,
  ];
  if (issues.length > 0) throw new InvalidError(issues);
  const fields = validate(blockBody, data);
  const ips = source === 'ips' ? list.ips : cidr.ips;
  const count = source === 'ips' ? list.ips.length : cidr.count;
  return { kind: 'block', ips, count, zone: fields.zone, host: fields.host };
}

/** The answer to one new address, or to a block. */
export const newIpsAnswer = z.union([
  createdIp,
  z.strictObject({
    success: z.record(z.string(), ipDetails),
    error: z
      .record(z.string(), z.strictObject({ message: z.string() }))
      .meta({ description: 'Addresses that the pool has already' }),
  }),
]);

const text = z.string().max(256).optional();

/** What the list of the pool can be narrowed by, all at once. */
export const allQuery = pageQuery.extend({
  status: status.optional().meta({ description: 'available or assigned' }),
  zone: text.meta({ description: 'The zone; empty: any' }),
  host: text.meta({ description: 'The host; empty: any' }),
  assigned_to: text.meta({ description: 'The id of the account that holds them; empty: any' }),
});

export const allAnswer = z.array(ipDetails);

const counts = { available: z.int(), assigned: z.int(), total: z.int() };

export const summaryAnswer = z.strictObject({
  ...counts,
  zones: z.record(z.string(), z.strictObject(counts)),
  hosts: z.record(z.string(), z.strictObject(counts)),
  counts: z
    .array(z.strictObject({ zone: z.string(), host: z.string(), status, count: z.int() }))
    .meta({ description: 'By zone, host and status' }),
});

/** What a PATCH may change, for the API pages. */
export const ipPatch = z
  .looseObject({ zone: zone.optional(), host: host.optional() })
  .meta({ description: 'The zone, the host, or both' });
