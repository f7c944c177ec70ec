import { z } from 'zod';
import { InvalidError, type Issue } from '../../core/errors.js';
import { parseUuid } from '../../core/uuid.js';
import type { Attribute, Filter } from '../../surfaces/json-api/resource.js';
import type { SipAccountChange } from './sip-accounts.doc.js';
import { ALLOWED_IPS_MESSAGE, parseAllowedIps } from './sip-accounts.fields.js';
import type { SortField } from './sip-accounts.orders.js';

const callerId = z.int().nonnegative().nullable();
const flag = z.boolean();
/** The page's own samples send switches as texts. */
const flagInput = z.union([z.boolean(), z.enum(['true', 'false'])]);

function readOnly(schema: z.ZodType): Attribute {
  return { schema, isSortable: true };
}

/** The attributes, in the order of the page. */
export const attributes = {
  username: readOnly(z.string()),
  password: { schema: z.string().nullable(), isSortable: false },
  incoming_internal: readOnly(flag),
  incoming_external: readOnly(flag),
  outgoing_internal: readOnly(flag),
  outgoing_external: readOnly(flag),
  on_demand: readOnly(flag),
  caller_id_name: readOnly(z.string().nullable()),
  internal_caller_id: readOnly(callerId),
  external_caller_id: readOnly(callerId),
  allow_external_calls: readOnly(flag),
  is_online: readOnly(flag.describe('Whether a phone is registered')),
  user_agent: readOnly(z.string().nullable().describe('What the registered phone calls itself')),
  use_allowed_ips: {
    schema: flag.describe('Whether phones may register from the allowed IPs only'),
    isSortable: true,
    input: flagInput,
  },
  allowed_ips: {
    schema: z.string().nullable().describe('Networks, each with its length, between commas'),
    isSortable: true,
    input: z
      .string()
      .nullable()
      .describe('Addresses and networks, between commas or spaces; empty or null: none'),
  },
} as const satisfies Record<string, Attribute>;

/** What a sort key of a request means; undefined: it is the same for all of them. */
export const sortFields: Readonly<Record<string, SortField | undefined>> = {
  id: 'id',
  username: 'username',
  incoming_internal: 'incomingInternal',
  incoming_external: 'incomingExternal',
  outgoing_internal: 'outgoingInternal',
  outgoing_external: 'outgoingExternal',
  on_demand: 'onDemand',
  caller_id_name: 'callerIdName',
  internal_caller_id: 'internalCallerId',
  external_caller_id: 'externalCallerId',
  allow_external_calls: 'allowExternalCalls',
  use_allowed_ips: 'useAllowedIps',
  allowed_ips: 'allowedIps',
  is_online: undefined,
  user_agent: undefined,
};

function parseInteger(text: string): number | undefined {
  return /^[0-9]{1,15}$/.test(text) ? Number(text) : undefined;
}

function textFilter(description: string): Filter {
  return { description, schema: z.string(), parse: (text) => text };
}

function integerFilter(description: string): Filter {
  return { description, schema: z.int().nonnegative(), parse: parseInteger };
}

/** The filters of the page. */
export const filters: Readonly<Record<string, Filter>> = {
  id: {
    description: 'The id of a SIP account',
    schema: z.string(),
    // A text that can be no id is one that nobody has.
    parse: (text) => parseUuid(text) ?? '',
  },
  'customer.id': textFilter('The id of its customer'),
  username: textFilter('Its user name, exactly'),
  caller_id_name: textFilter('Its caller id name, exactly'),
  allow_external_calls: {
    description: 'Whether it may call out',
    schema: z.enum(['true', 'false']),
    parse: (text) => (text === 'true' ? true : text === 'false' ? false : undefined),
  },
  internal_caller_id: integerFilter('Its internal caller id'),
  external_caller_id: integerFilter('Its external caller id'),
};

/** What a PATCH may change, as the service takes it; `InvalidError` with every fault. */
export function readChange(changes: Readonly<Record<string, unknown>>): SipAccountChange {
  const issues: Issue[] = [];
  const change: { useAllowedIps?: boolean; allowedIps?: string | null } = {};
  if (Object.hasOwn(changes, 'use_allowed_ips')) {
    const value = flagInput.safeParse(changes['use_allowed_ips']);
    if (value.success) change.useAllowedIps = String(value.data) === 'true';
    else issues.push(issue('use_allowed_ips', 'must be true or false'));
  }
  if (Object.hasOwn(changes, 'allowed_ips')) {
    const value = changes['allowed_ips'];
    const networks = typeof value === 'string' ? parseAllowedIps(value) : value;
    if (networks === null || typeof networks === 'string') change.allowedIps = networks;
    else issues.push(issue('allowed_ips', ALLOWED_IPS_MESSAGE));
  }
  if (issues.length > 0) throw new InvalidError(issues);
  return change;
}

function issue(field: string, message: string): Issue {
  return { path: [field], rule: 'type', message };
}
