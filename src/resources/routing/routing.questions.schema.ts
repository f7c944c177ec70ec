import { z } from 'zod';
import { InvalidError, type Issue } from '../../core/errors.js';
import { type IpAddress, parseIp } from '../../core/ip-address.js';
import { type Direction, directions } from './routing.schema.js';

/** The members that make up each question. */
const FORMS = [
  ['source_ip'],
  ['cluster_id', 'zone'],
  ['media_server_id', 'carrier'],
  ['sbc_id', 'direction', 'to_number'],
] as const;

const SHOWN = FORMS.map((form) => form.join(' and ')).join('; ');
const ID = /^[0-9a-f]{32}$/;
const NUMBER = /^\+?[0-9]{1,32}$/;
const MAX_TEXT = 64;

const member = z.string().optional();

/** What the API pages show; {@link readQuestion} says what is wrong with a question. */
export const resolveQuery = z.object({
  source_ip: member.meta({ description: 'Who has this address?' }),
  cluster_id: member.meta({ description: 'With zone: which gateways has this cluster?' }),
  zone: member.meta({ description: 'The zone that the call is in' }),
  media_server_id: member.meta({ description: 'With carrier: which SBCs does it try?' }),
  carrier: member.meta({ description: 'The carrier that the call goes to' }),
  sbc_id: member.meta({
    description: 'With direction and to_number: what does this SBC make of the number?',
  }),
  direction: member.meta({ description: directions.join(', ') }),
  to_number: member.meta({ description: 'Digits, with or without a plus in front' }),
});

/** A question about routing, checked. */
export type Question =
  | { readonly kind: 'source'; readonly ip: IpAddress }
  | { readonly kind: 'gateways'; readonly clusterId: string; readonly zone: string }
  | { readonly kind: 'sbcs'; readonly mediaServerId: string; readonly carrier: string }
  | {
      readonly kind: 'number';
      readonly sbcId: string;
      readonly direction: Direction;
      readonly number: string;
    };

type Query = Readonly<Partial<Record<string, string | undefined>>>;

function issue(path: string, rule: string, message: string, value?: unknown): Issue {
  return { path: [path], rule, message, details: value === undefined ? {} : { value } };
}

/** The one form that a query is of; otherwise what is missing or too much, by name. */
function formOf(query: Query): readonly string[] {
  const given = FORMS.flat().filter((name) => query[name] !== undefined);
  const first = FORMS.find((form) => form.some((name) => given.includes(name as never)));
  if (first === undefined) {
    throw new InvalidError([issue('query', 'required', `ask by one of: ${SHOWN}`)]);
  }
  const form: readonly string[] = first;
  const issues = [
    ...form
      .filter((name) => query[name] === undefined)
      .map((name) => issue(name, 'required', `goes together with ${given.join(', ')}`)),
    ...given
      .filter((name) => !form.includes(name))
      .map((name) =>
        issue(name, 'superfluous', `another question than that by ${form.join(', ')}`),
      ),
  ];
  if (issues.length > 0) throw new InvalidError(issues);
  return form;
}

/** A literal plus in a query string is a blank by the time it arrives. */
function numberOf(text: string): string {
  return text.replace(/^ /, '+');
}

const faults: Readonly<Record<string, (text: string) => string | undefined>> = {
  source_ip: (text) =>
    parseIp(text) === undefined ? 'Value must be an IPv4 or IPv6 address' : undefined,
  cluster_id: faultOfId,
  media_server_id: faultOfId,
  sbc_id: faultOfId,
  zone: faultOfName,
  carrier: faultOfName,
  direction: (text) =>
    directions.includes(text as Direction) ? undefined : `must be one of ${directions.join(', ')}`,
  to_number: (text) =>
    NUMBER.test(numberOf(text)) ? undefined : 'must be 1 to 32 digits, with or without a plus',
};

function faultOfId(text: string): string | undefined {
  return ID.test(text) ? undefined : 'must be 32 lower-case hex characters';
}

function faultOfName(text: string): string | undefined {
  return text !== '' && text.length <= MAX_TEXT ? undefined : `must be 1 to ${MAX_TEXT} characters`;
}

/** The question that a query asks; a query that is not exactly one is an `InvalidError`. */
export function readQuestion(query: Query): Question {
  const form = formOf(query);
  const value = (name: string) => query[name] ?? '';
  const issues = form.flatMap((name) => {
    const fault = faults[name]?.(value(name));
    return fault === undefined ? [] : [issue(name, 'invalid', fault, value(name))];
  });
  if (issues.length > 0) throw new InvalidError(issues);
  switch (form[0]) {
    case 'source_ip':
      return { kind: 'source', ip: parseIp(value('source_ip')) as IpAddress };
    case 'cluster_id':
      return { kind: 'gateways', clusterId: value('cluster_id'), zone: value('zone') };
    case 'media_server_id':
      return { kind: 'sbcs', mediaServerId: value('media_server_id'), carrier: value('carrier') };
    default:
      return {
        kind: 'number',
        sbcId: value('sbc_id'),
        direction: value('direction') as Direction,
        number: numberOf(value('to_number')),
      };
  }
}

const id = z.string();
const place = z.strictObject({
  role: z.enum(['sbc', 'cluster_inbound', 'cluster_outbound', 'media_top']),
  id,
  name: z.string(),
  zone: z.string().optional(),
  carrier: z.string().optional(),
});

const sourceAnswer = z.strictObject({ source_ip: z.string(), matches: z.array(place) });

const gatewaysAnswer = z.strictObject({
  cluster_id: id,
  name: z.string(),
  zone: z.string(),
  randomize_routing: z.boolean(),
  gateways: z.array(z.strictObject({ ip: z.string(), zone: z.string() })).meta({
    description: 'Where the cluster receives calls: those of the zone first, then by zone',
  }),
});

const sbcsAnswer = z.strictObject({
  media_server_id: id,
  name: z.string(),
  zone: z.string().optional(),
  carrier: z.string(),
  interface: z.string().optional().meta({ description: 'By which calls leave to the carrier' }),
  order: z.enum(['priority', 'zone']).meta({
    description: 'zone: the media server has no order for the carrier, so all of its SBCs',
  }),
  sbcs: z.array(
    z.strictObject({
      id,
      name: z.string(),
      zone: z.string().optional(),
      ips: z.array(z.string()),
    }),
  ),
  unresolved: z.array(id).meta({ description: 'IDs in the order that name no SBC' }),
});

const numberAnswer = z.strictObject({
  sbc_id: id,
  name: z.string(),
  direction: z.enum(directions),
  to_number: z.string(),
  formatted_number: z.string().meta({ description: 'to_number itself where nothing matched' }),
  matched: z.boolean(),
  pattern: z.string().optional(),
  replace: z.string().optional(),
  fault: z.string().optional().meta({ description: 'Why the pattern never matches' }),
});

export const resolveAnswer = z.union([sourceAnswer, gatewaysAnswer, sbcsAnswer, numberAnswer]);
export type ResolveAnswer = z.input<typeof resolveAnswer>;

const target = z.enum(['carrier_sbc', 'media_server']);

export const reportAnswer = z.strictObject({
  dangling_references: z
    .array(
      z.strictObject({
        type: target,
        id,
        name: z.string(),
        field: z.string(),
        missing: z.strictObject({ type: target, id }),
      }),
    )
    .meta({ description: 'Documents that name an SBC or a media server which does not exist' }),
  shared_ips: z
    .array(z.strictObject({ ip: z.string(), places: z.array(place) }))
    .meta({ description: 'Addresses that stand in more than one place' }),
  truncated: z.boolean().meta({ description: 'true: there is more than is shown' }),
});
