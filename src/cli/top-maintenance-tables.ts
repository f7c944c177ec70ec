import { fromGregorian } from '../core/gregorian.js';
import type { JoinedDevice } from '../resources/subscriptions/devices.doc.js';
import type { Subscription } from '../resources/subscriptions/subscriptions.doc.js';
import type { AskedLine } from '../resources/subscriptions/subscriptions.lookup.js';
import { formatTable } from './table.js';
import type { Terminal } from './terminal.js';

type Row = readonly [name: string, value: unknown];

const LIST_HEADINGS = ['Subscription', 'MDN', 'Device', 'SIM', 'Plan', 'Carrier', 'Suspended'];

function timeOf(gregorianS: number | null | undefined): string | undefined {
  if (gregorianS == null) return undefined;
  const unixMs = fromGregorian(gregorianS);
  // A carrier may have sent any number as a time.
  return Math.abs(unixMs) > 8.64e15 ? String(gregorianS) : new Date(unixMs).toISOString();
}

/** A cap of 0 is none, and would read as if the device were blocked. */
function capOf(policy: { readonly cap?: number } | undefined): number | undefined {
  return policy?.cap === 0 ? undefined : policy?.cap;
}

function printFields(terminal: Terminal, title: string, rows: readonly Row[]): void {
  for (const line of formatTable([title, ''], rows)) terminal.print(line);
}

/** What a carrier says of a line. */
export function printCarrierLine(terminal: Terminal, asked: AskedLine): void {
  const { line, identifiers, carrierName } = asked;
  printFields(terminal, 'At the carrier', [
    ['Carrier', carrierName],
    ['MDN', identifiers.mdn],
    ['Device', identifiers.esn],
    ['SIM', identifiers.sim],
    ['IMSI', line.imsi],
    ['Plan', line.plan],
    ['Features', line.features.join(', ')],
    ...Object.entries(line.carrierData),
    ['Active since', timeOf(line.activationDate)],
    ['Suspended', line.suspended ? 'yes' : 'no'],
  ]);
}

/** A subscription that somebody has, field by field. */
export function printSubscription(terminal: Terminal, line: Subscription): void {
  const { fields } = line;
  printFields(terminal, 'Subscription', [
    ['Id', line.id],
    ['Account', line.accountId],
    ['Cluster', line.clusterId],
    ['MVNO', line.mvnoId],
    ['Carrier', line.carrierName],
    ['MDN', line.mdn],
    ['Device', line.esn],
    ['SIM', line.sim],
    ['IMSI', fields.imsi],
    ['Plan', fields.plan],
    ['Features', fields.features.join(', ')],
    ...Object.entries(fields.carrier_data),
    ['Active since', timeOf(fields.activation_date)],
    ['Suspended', fields.suspended ? 'yes' : 'no'],
    ['Port', line.portId],
    ['Moved here from', line.movedFrom.at(-1)?.accountId],
  ]);
}

/** A device; its SIP password is not shown. */
export function printDevice(terminal: Terminal, { device, subscription }: JoinedDevice): void {
  const { name, model, voice, data } = device.fields;
  const { realm, username } = (voice?.['sip'] ?? {}) as Readonly<Record<string, unknown>>;
  printFields(terminal, 'Device', [
    ['Id', device.id],
    ['Spelt', device.display],
    ['Name', name],
    ['Model', model?.['name']],
    ['Manufacturer', model?.['manufacturer']],
    ['SIP realm', realm],
    ['SIP username', username],
    ['Blocked after', capOf(data?.blocking)],
    ['Slowed down after', capOf(data?.throttling)],
    ['Slowed down to', data?.throttling?.rate],
    ...(subscription === undefined ? [['Detached in', device.ownHolder?.accountId] as const] : []),
  ]);
}

/** The lines of an account. */
export function printLines(terminal: Terminal, lines: readonly Subscription[]): void {
  const rows = lines.map(({ id, mdn, esn, sim, fields, carrierName }) => {
    return [id, mdn, esn, sim, fields.plan, carrierName, fields.suspended ? 'yes' : 'no'];
  });
  for (const line of formatTable(LIST_HEADINGS, rows)) terminal.print(line);
}
