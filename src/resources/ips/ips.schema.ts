import { z } from 'zod';
import { type IpAddress, parseIp } from '../../core/ip-address.js';
import { accountParams } from '../../surfaces/crossbar/shapes.js';

/** Addresses in one request, at most. */
const MAX_LIST = 10_000;

/** An address as clients send it; Kazoo's schema is `oneOf ipv4, ipv6` and so is its error. */
const ipText = z
  .string()
  .refine((text) => parseIp(text) !== undefined, {
    message: 'failed to validate',
    params: { rule: 'not_one_schema_valid' },
  })
  .transform((text) => parseIp(text) as IpAddress)
  .meta({ oneOf: [{ format: 'ipv4' }, { format: 'ipv6' }], examples: ['1.2.3.4'] });

/** Kazoo's schema `ips`: the list to assign or release; nothing is required. */
export const ipsBody = z
  .looseObject({
    ips: z
      .array(ipText)
      .min(1)
      .max(MAX_LIST)
      .optional()
      .meta({ description: 'List of IP addresses' }),
  })
  .meta({ description: 'IP addresses assigned to the account' });

/** Kazoo's schema `ip`: a new address of the pool. */
export const ipBody = z
  .looseObject({
    ip: ipText.meta({ description: 'The IP address of the proxy' }),
    zone: z.string().min(1).max(256).meta({ description: 'The zone this proxy is assigned to' }),
    host: z.string().min(1).max(256).meta({ description: 'The hostname associated with the IP' }),
  })
  .meta({ description: 'A dedicated IP address of the system' });

/** Free addresses asked for at once, at most. */
export const MAX_QUANTITY = 1000;
/** Characters of a name of a zone. */
export const MAX_ZONE = 256;

export const availableQuery = z.object({
  zone: z.string().max(MAX_ZONE).optional().meta({ description: 'filter the results by Zone' }),
  quantity: z
    .int()
    .min(1)
    .max(MAX_QUANTITY)
    .optional()
    .meta({ description: 'limit the number of results. Default quantity is 1' }),
});

/** An address in a path: every spelling finds the one document. */
export const ipParams = z.object({ ip: ipText });
export const accountIpParams = accountParams.extend({ ip: ipText });

/** For assign and release the list's own schema judges the address, as in Kazoo (`ips.0`). */
export const accountIpTextParams = accountParams.extend({
  ip: z.string().meta({ description: 'IPv4 or IPv6 address' }),
});

export const status = z.enum(['available', 'assigned']);

export const ipDetails = z.strictObject({
  id: z.string(),
  ip: z.string(),
  zone: z.string(),
  host: z.string(),
  status,
  type: z.literal('dedicated_ip'),
  assigned_to: z.string().optional().meta({ description: 'Absent while it is available' }),
});

export const ipListing = z.array(z.strictObject({ ip: z.string(), zone: z.string() }));

export const names = z.array(z.string());

export const batchAnswer = z.strictObject({
  success: z.record(z.string(), ipDetails),
  error: z
    .record(z.string(), z.strictObject({ message: z.string() }))
    .meta({ description: 'Races lost while writing; everything else is a 400' }),
});

const readOnly = {
  id: z.string(),
  rev: z.string(),
  vsn: z.string(),
  status,
  type: z.literal('dedicated_ip'),
  zone: z.string(),
  host: z.string(),
  assigned_to: z.string().optional(),
  modified: z.int(),
  created: z.int(),
};

/** Kazoo shows what it created, and what it deleted, only as `_read_only`. */
export const createdIp = z.strictObject({ _read_only: z.strictObject(readOnly) });
export const deletedIp = z.strictObject({
  _read_only: z.strictObject({ ...readOnly, deleted: z.literal(true) }),
});
