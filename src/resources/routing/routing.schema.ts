import { z } from 'zod';
import { type IpAddress, parseIp } from '../../core/ip-address.js';
import { pageQuery } from '../../surfaces/crossbar/paging.js';
import { MAX_PATTERN } from './routing.patterns.js';

const MAX_NAME = 128;
const MAX_ZONES = 64;
const MAX_IPS = 256;
const MAX_CARRIERS = 64;
const MAX_PRIORITIES = 64;
const MAX_DIRECTIONS = 16;
const MAX_HEADERS = 16;
const MAX_HEADER_VALUE = 256;

/** What a call through an SBC is, by who it comes from or goes to. */
export const directions = ['from_mobile_device', 'from_pstn', 'to_mobile_device'] as const;
export type Direction = (typeof directions)[number];

const ID = /^[0-9a-f]{32}$/;
/** Printable, and no blank at either end, where nobody would see it. */
const NAME = /^[!-~](?:[ -~]{0,62}[!-~])?$/;

const id = z.string().regex(ID);
const zoneName = z
  .string()
  .regex(NAME)
  .meta({ description: 'A zone: any name of up to 64 printable characters' });
const carrierName = z
  .string()
  .regex(NAME)
  .meta({ description: 'A carrier, by the name that the MVNO has for it' });
const place = z.string().min(1).max(MAX_NAME);

/** A record of so many members at most; said together with the faults of the members. */
function recordOf<V extends z.ZodType>(key: z.ZodString, value: V, max: number) {
  return z.record(key, value).refine((record) => Object.keys(record).length <= max, {
    message: `The object must not have more than ${max} properties`,
    params: { rule: 'maxProperties' },
    when: ({ value: record }) => typeof record === 'object' && record !== null,
  });
}

const ipText = z
  .string()
  .refine((text) => parseIp(text) !== undefined, {
    message: 'Value must be an IPv4 or IPv6 address',
    params: { rule: 'wrong_format' },
  })
  .transform((text) => parseIp(text) as IpAddress)
  .meta({ oneOf: [{ format: 'ipv4' }, { format: 'ipv6' }], examples: ['1.2.3.4'] });

/** The same address twice in one list is counted once; every address is stored canonically. */
const ipList = z
  .array(ipText)
  .max(MAX_IPS)
  .transform((ips) => [...new Set(ips)]);

const zones = recordOf(zoneName, ipList, MAX_ZONES);
const name = z.string().min(1).max(MAX_NAME);

const location = z.looseObject({
  zone: zoneName,
  state: place.optional(),
  city: place.optional(),
});

/** How calls of a customer's cluster reach us and how we reach it. */
export const clusterBody = z
  .looseObject({
    owner: z.string().min(1).max(MAX_NAME),
    name,
    ips: z.strictObject({
      inbound: zones.default({}).meta({
        description: 'Where the cluster receives calls: its gateways, in order, by zone',
      }),
      outbound: zones.default({}).meta({
        description: 'Where the cluster sends calls from, by zone',
      }),
    }),
    randomize_routing: z
      .boolean()
      .default(false)
      .meta({ description: 'true: the gateways of a zone are tried in random order' }),
  })
  .meta({ description: 'A customer cluster, as call routing sees it' });

const numberRule = z.strictObject({
  to_number: z.strictObject({
    pattern: z
      .string()
      .min(1)
      .max(MAX_PATTERN)
      .meta({
        description:
          'A regular expression in FreeSWITCH’s notation /…/flags with the flags i and s, ' +
          'in RE2’s syntax and safe for engines that backtrack; it sees digits without a plus',
        examples: ['/^(?:467)?([0-9]+)$/'],
      }),
    replace: z
      .string()
      .max(MAX_PATTERN)
      .meta({
        description: 'The whole new number; $1 is the first group of the pattern',
        examples: ['99999$1'],
      }),
  }),
});

/** The border controller of a carrier. */
export const sbcBody = z
  .looseObject({
    name,
    carrier: carrierName.optional(),
    location,
    ips: ipList,
    mobile_media_server: id.optional().meta({
      description: 'The media server in front of it; whether there is one is for the report',
    }),
    call_directions: z
      .array(
        z.strictObject({
          direction: z.enum(directions),
          headers: recordOf(
            z.string().regex(NAME),
            z.string().min(1).max(MAX_HEADER_VALUE),
            MAX_HEADERS,
          ),
        }),
      )
      .max(MAX_DIRECTIONS)
      .optional()
      .meta({
        description:
          'The first entry all of whose headers contain the given texts says what a call is',
      }),
    number_formatting: z
      .strictObject({
        from_mobile_device: numberRule.optional(),
        from_pstn: numberRule.optional(),
        to_mobile_device: numberRule.optional(),
      })
      .optional(),
  })
  .meta({ description: "A carrier's session border controller" });

/** What connects carriers and customers. */
export const mediaBody = z
  .looseObject({
    name,
    location,
    interfaces: z
      .strictObject({
        carrier_mpls: recordOf(carrierName, place, MAX_CARRIERS).optional(),
        authenticated_connection: place.optional(),
        unauthenticated_connection: place.optional(),
      })
      .optional(),
    carrier_sbc_priority: recordOf(
      carrierName,
      z
        .array(id)
        .max(MAX_PRIORITIES)
        .transform((ids) => [...new Set(ids)]),
      MAX_CARRIERS,
    )
      .optional()
      .meta({ description: 'IDs of SBCs by carrier, the first choice first' }),
    top_ips: ipList.optional().meta({ description: 'Private addresses that are trusted as ours' }),
  })
  .meta({ description: 'A mobile media server' });

export const clusterParams = z.object({
  cluster_id: id.meta({ description: 'Cluster ID, 32 lower-case hex' }),
});
export const sbcParams = z.object({ sbc_id: id.meta({ description: 'SBC ID' }) });
export const mediaParams = z.object({
  media_server_id: id.meta({ description: 'Media server ID' }),
});

/** All at once, unless a page is asked for. */
export const listQuery = pageQuery.pick({ page_size: true, start_key: true }).extend({
  page_size: pageQuery.shape.page_size.meta({
    description: 'Rows of a page; without it all are answered, up to 10000',
  }),
});

const ips = z.array(z.string());
const zonesShown = z.record(z.string(), ips);
const locationShown = z.looseObject({
  zone: z.string(),
  state: z.string().optional(),
  city: z.string().optional(),
});

export const clusterAnswer = z.looseObject({
  id: z.string(),
  owner: z.string(),
  name: z.string(),
  ips: z.looseObject({ inbound: zonesShown, outbound: zonesShown }),
  randomize_routing: z.boolean(),
});

const ruleShown = z
  .looseObject({ to_number: z.looseObject({ pattern: z.string(), replace: z.string() }) })
  .optional();

export const sbcAnswer = z.looseObject({
  id: z.string(),
  name: z.string(),
  carrier: z.string().optional(),
  location: locationShown,
  ips,
  mobile_media_server: z.string().optional(),
  call_directions: z
    .array(z.looseObject({ direction: z.string(), headers: z.record(z.string(), z.string()) }))
    .optional(),
  number_formatting: z
    .looseObject({
      from_mobile_device: ruleShown,
      from_pstn: ruleShown,
      to_mobile_device: ruleShown,
    })
    .optional(),
});

const priorityShown = z.record(z.string(), z.array(z.string())).optional();

export const mediaAnswer = z.looseObject({
  id: z.string(),
  name: z.string(),
  location: locationShown,
  interfaces: z
    .looseObject({
      carrier_mpls: z.record(z.string(), z.string()).optional(),
      authenticated_connection: z.string().optional(),
      unauthenticated_connection: z.string().optional(),
    })
    .optional(),
  carrier_sbc_priority: priorityShown,
  top_ips: ips.optional(),
});

export const clusterRows = z.array(
  z.strictObject({ id: z.string(), name: z.string(), owner: z.string().optional() }),
);
export const sbcRows = z.array(
  z.strictObject({
    id: z.string(),
    name: z.string(),
    carrier: z.string().optional(),
    location: locationShown.optional(),
    mobile_media_server: z.string().optional(),
  }),
);
export const mediaRows = z.array(
  z.strictObject({
    id: z.string(),
    name: z.string(),
    location: locationShown.optional(),
    carrier_sbc_priority: priorityShown,
  }),
);
