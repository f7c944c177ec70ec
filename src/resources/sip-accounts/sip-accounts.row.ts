import { isJsonObject } from '../../core/json.js';

/** The switches of a SIP account, in the order of their bits in the view `by_account`. */
export const SWITCHES = [
  'useAllowedIps',
  'allowExternalCalls',
  'onDemand',
  'incomingInternal',
  'incomingExternal',
  'outgoingInternal',
  'outgoingExternal',
] as const;

export type Switch = (typeof SWITCHES)[number];

/** The stored names of the switches. */
export const SWITCH_FIELDS = {
  useAllowedIps: 'use_allowed_ips',
  allowExternalCalls: 'allow_external_calls',
  onDemand: 'on_demand',
  incomingInternal: 'incoming_internal',
  incomingExternal: 'incoming_external',
  outgoingInternal: 'outgoing_internal',
  outgoingExternal: 'outgoing_external',
} as const satisfies Record<Switch, string>;

/** All that SIP accounts are filtered and sorted by; the password is not among it. */
export interface SipAccountRow {
  /** 32 hexadecimal digits. */
  readonly id: string;
  readonly accountId: string;
  readonly revision: string;
  readonly username: string;
  readonly callerIdName: string | null;
  readonly internalCallerId: number | null;
  readonly externalCallerId: number | null;
  /** One bit for each of {@link SWITCHES}, the first the lowest. */
  readonly bits: number;
  /** Networks between commas. */
  readonly allowedIps: string | null;
}

export const HEX_ID = /^[0-9a-f]{32}$/;
const NUMBER = /^\+?[0-9]{1,15}$/;

/** A caller id as clients see it: an integer. Kazoo stores texts, and may store other ones. */
function numberOf(value: unknown): number | null {
  if (typeof value === 'number') return Number.isSafeInteger(value) && value >= 0 ? value : null;
  return typeof value === 'string' && NUMBER.test(value) ? Number(value) : null;
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}

/** A row of the view `by_account`; undefined for one that is not as we emit them. */
export function rowOf(id: string, accountId: string, value: unknown): SipAccountRow | undefined {
  if (!Array.isArray(value)) return undefined;
  const [revision, username, callerIdName, internal, external, bits, allowedIps] = value;
  if (typeof revision !== 'string' || typeof username !== 'string' || typeof bits !== 'number') {
    return undefined;
  }
  return {
    id,
    accountId,
    revision,
    username,
    callerIdName: textOf(callerIdName),
    internalCallerId: numberOf(internal),
    externalCallerId: numberOf(external),
    bits,
    allowedIps: textOf(allowedIps),
  };
}

/** The row that the view makes of a document; undefined for what is no SIP account. */
export function rowOfDoc(doc: Readonly<Record<string, unknown>>): SipAccountRow | undefined {
  const { _id: id, pvt_account_id: accountId, sip } = doc;
  if (doc['pvt_type'] !== 'device' || doc['pvt_deleted']) return undefined;
  if (typeof id !== 'string' || !HEX_ID.test(id) || typeof accountId !== 'string') return undefined;
  if (!isJsonObject(sip)) return undefined;
  const callerId = isJsonObject(doc['caller_id']) ? doc['caller_id'] : {};
  const internal = isJsonObject(callerId['internal']) ? callerId['internal'] : {};
  const external = isJsonObject(callerId['external']) ? callerId['external'] : {};
  return rowOf(id, accountId, [
    doc['_rev'],
    sip['username'],
    typeof internal['name'] === 'string' ? internal['name'] : external['name'],
    internal['number'],
    external['number'],
    bitsOf((name) => doc[SWITCH_FIELDS[name]] === true),
    doc['allowed_ips'],
  ]);
}

function bitsOf(isOn: (name: Switch) => boolean): number {
  return SWITCHES.reduce((bits, name, n) => (isOn(name) ? bits + 2 ** n : bits), 0);
}

/** Whether a switch is on. */
export function isOn({ bits }: Pick<SipAccountRow, 'bits'>, name: Switch): boolean {
  return (bits & (1 << SWITCHES.indexOf(name))) !== 0;
}
