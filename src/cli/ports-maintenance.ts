import { hasCode, InvalidError } from '../core/errors.js';
import { fromGregorian } from '../core/gregorian.js';
import type { Port } from '../resources/ports/ports.doc.js';
import type { CarrierPoll } from '../resources/ports/ports.poll.js';
import { presentPoll, presentPort, presentPortRow } from '../resources/ports/ports.present.js';
import { codesOf, type PortDirection, type PortStatus } from '../resources/ports/ports.status.js';
import type { Call, Command, Module, Outcome } from './command.js';
import { EXIT } from './exit-codes.js';
import { formatTable } from './table.js';

const HEADINGS = ['Port', 'MDN', 'Status', 'Extended', 'Since', 'Carrier', 'Line', 'Account'];
const STATUS_HEADINGS = ['Status', 'Extended', 'Source', 'At', 'By hand'];
const POLL_HEADINGS = [
  'MVNO',
  'Carrier',
  'Received',
  'Applied',
  'Duplicates',
  'Late',
  'Unknown',
  'Refused',
];
const UNMATCHED_HEADINGS = ['Carrier', 'Message', 'Port', 'MDN', 'Code', 'Source', 'At', 'Why'];
/** Rows of a list, at most. */
const LIST_MAX = 1000;

async function portsOf(call: Call) {
  return (await call.open()).services.support.ports;
}

function timeOf(gregorianS: number): string {
  const unixMs = fromGregorian(gregorianS);
  // A carrier may have sent any number as a time.
  return Math.abs(unixMs) > 8.64e15 ? String(gregorianS) : new Date(unixMs).toISOString();
}

function rowOf({ id, mdn, status, carrierName, line }: Port): readonly unknown[] {
  const { code, extended, timestamp } = status;
  const since = timeOf(timestamp);
  return [id, mdn, code, extended, since, carrierName, line?.subscriptionId, line?.accountId];
}

function printTable(
  { terminal }: Call,
  headings: readonly string[],
  rows: readonly (readonly unknown[])[],
): void {
  for (const line of formatTable(headings, rows)) terminal.print(line);
}

function readDirection(text: string): PortDirection {
  if (text === 'in' || text === 'out') return text;
  throw new InvalidError([{ path: ['direction'], rule: 'enum', message: 'in or out' }]);
}

async function list(call: Call): Promise<Outcome> {
  const [typed = '', code] = call.args;
  const direction = readDirection(typed);
  const codes = codesOf(direction);
  if (code !== undefined && !codes.includes(code)) {
    const message = `one of ${codes.join(', ')}`;
    throw new InvalidError([{ path: ['status'], rule: 'enum', message }]);
  }
  const { service } = await portsOf(call);
  const filter = { direction, clusterId: undefined, code };
  const request = { size: LIST_MAX, descending: true, start: undefined };
  const { rows, next } = await service.list(filter, request);
  if (rows.length === 0) call.terminal.print('No ports found');
  else printTable(call, HEADINGS, rows.map(rowOf));
  if (next !== undefined) call.terminal.say(`these are the newest ${LIST_MAX}; there are more`);
  return { data: rows.map(presentPortRow) };
}

/** Finds a port by its id, whichever way it goes. */
async function findPort(call: Call, id: string): Promise<Port> {
  const { service } = await portsOf(call);
  try {
    return await service.get('in', id, undefined);
  } catch (error) {
    if (!hasCode(error, 'not_found')) throw error;
    return service.get('out', id, undefined);
  }
}

function statusRow(status: PortStatus): readonly unknown[] {
  const { code, extended, source, timestamp, forced_update: forced } = status;
  return [code, extended, source, timeOf(timestamp), forced === true ? 'yes' : undefined];
}

function printPort(call: Call, port: Port): void {
  printTable(call, HEADINGS, [rowOf(port)]);
  call.terminal.print('');
  printTable(call, STATUS_HEADINGS, port.history.map(statusRow));
}

async function show(call: Call): Promise<Outcome> {
  const port = await findPort(call, call.args[0] ?? '');
  printPort(call, port);
  return { data: presentPort(port) };
}

async function setStatus(call: Call): Promise<Outcome> {
  const [id = '', code = '', source = '', extended] = call.args;
  const { direction } = await findPort(call, id);
  const { service } = await portsOf(call);
  const port = await service.setStatus(direction, id, { code, source, extended }, undefined);
  printPort(call, port);
  return { data: presentPort(port) };
}

function pollRow(poll: CarrierPoll): readonly unknown[] {
  const { received, applied, duplicates, late, unknown, refused } = poll;
  return [poll.mvnoId, poll.carrier, received, applied, duplicates, late, unknown, refused];
}

async function poll(call: Call): Promise<Outcome> {
  const { terminal, signal } = call;
  const result = await (await portsOf(call)).poll(undefined, signal);
  printTable(call, POLL_HEADINGS, result.carriers.map(pollRow));
  for (const { mvnoId, carrier, alreadyRunning, hasMore, errors } of result.carriers) {
    const who = `${mvnoId}/${carrier}`;
    if (alreadyRunning) terminal.print(`${who}: another poll is running; nothing was done`);
    if (hasMore) terminal.print(`${who}: there is more; poll again`);
    for (const { message } of errors) terminal.print(`${who}: failed: ${message}`);
  }
  const data = presentPoll(result);
  const isWhole = result.carriers.every(({ errors }) => errors.length === 0);
  return isWhole ? { data } : { data, exit: EXIT.failed };
}

async function listUnmatched(call: Call): Promise<Outcome> {
  const carriers = await (await portsOf(call)).listUnmatched();
  const rows = carriers.flatMap(({ mvnoId, carrier, messages }) =>
    messages.map(({ id, direction, mdn, code, source, timestamp, reason }) => {
      const who = `${mvnoId}/${carrier}`;
      return [who, id, direction, mdn, code, source, timeOf(timestamp), reason];
    }),
  );
  if (rows.length === 0) call.terminal.print('No messages found');
  else printTable(call, UNMATCHED_HEADINGS, rows);
  const data = carriers.map(({ mvnoId, carrier, messages }) => ({
    mvno_id: mvnoId,
    carrier,
    messages,
  }));
  return { data };
}

const commands: readonly Command[] = [
  {
    name: 'poll',
    parameters: [],
    summary: 'Fetch and apply what the carriers have to say about ports',
    details: ['Safe to run at any time; a carrier that fails makes the exit code 2.'],
    run: poll,
  },
  {
    name: 'list',
    parameters: ['<in|out>', '[status]'],
    summary: 'List the ports of a direction, the newest first',
    details: [
      `status of ports in: ${codesOf('in').join(', ')}.`,
      `status of ports out: ${codesOf('out').join(', ')}.`,
    ],
    run: list,
  },
  {
    name: 'show',
    parameters: ['<port>'],
    summary: 'Show a port and all the statuses it has had',
    run: show,
  },
  {
    name: 'set_status',
    parameters: ['<port>', '<status>', '<source>', '[extended]'],
    summary: 'Say where a port stands, whatever the carrier says',
    details: [
      'source: who brings the status about, carrier or top, as it belongs to the status.',
      'extended: the reason of a rejection or delay, or what was sent with submitted.',
      'completed gives the line its number; after completed and canceled nothing changes a port.',
    ],
    run: setStatus,
  },
  {
    name: 'list_unmatched',
    parameters: [],
    summary: "List the carriers' latest messages that did nothing, and why",
    run: listUnmatched,
  },
];

/** Numbers that come from other operators and go to them. */
export const portsMaintenance: Module = {
  name: 'ports_maintenance',
  summary: 'The ports of numbers, in and out',
  commands,
};
