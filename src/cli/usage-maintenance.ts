import { InvalidError } from '../core/errors.js';
import { MONTH_MESSAGE, parseMonth } from '../core/usage-month.js';
import type { CarrierPoll } from '../resources/usage/usage.poll.js';
import { presentAudit, presentUnknown } from '../resources/usage/usage.present.js';
import type { Call, Command, Module, Outcome } from './command.js';
import { EXIT } from './exit-codes.js';
import { formatTable } from './table.js';
import { describeCounts, importUsage, presentCounts } from './usage-maintenance-import.js';

async function usageOf(call: Call) {
  return (await call.open()).services.support.usage;
}

function presentPoll(poll: CarrierPoll) {
  const { carrier, mvnoId, files, counts, failed, notes, error } = poll;
  return {
    carrier,
    mvno_id: mvnoId,
    files,
    ...presentCounts(counts),
    failed: failed.map(({ name, error: why }) => ({ file: name, error: why })),
    notes,
    ...(error === undefined ? {} : { error }),
  };
}

function printPoll(call: Call, poll: CarrierPoll): void {
  const { terminal } = call;
  const who = `${poll.carrier} of ${poll.mvnoId}`;
  for (const { file, line, reason } of poll.notes) terminal.print(`${file}:${line}: ${reason}`);
  for (const { name, error } of poll.failed) terminal.print(`${name}: failed: ${error}`);
  terminal.print(`${who}: ${poll.files} files, ${describeCounts(poll.counts)}`);
  if (poll.error !== undefined) terminal.print(`${who}: failed: ${poll.error}`);
}

async function poll(call: Call): Promise<Outcome> {
  const { terminal, signal } = call;
  const usage = await usageOf(call);
  const onProgress = (text: string) => terminal.progress(text);
  const { alreadyRunning, carriers } = await usage.poll({ signal, onProgress });
  terminal.settle();
  if (alreadyRunning) terminal.print('another poll is running; nothing was done');
  for (const each of carriers) printPoll(call, each);
  const data = { already_running: alreadyRunning, carriers: carriers.map(presentPoll) };
  const isWhole = carriers.every(
    ({ failed, error, counts }) =>
      failed.length === 0 && error === undefined && counts.refused === 0,
  );
  return isWhole ? { data } : { data, exit: EXIT.failed };
}

/** The month as typed; refused before a store is opened. */
function readMonth(call: Call): string {
  const month = parseMonth(call.args[0] ?? '');
  if (month !== undefined) return month;
  throw new InvalidError([{ path: ['month'], rule: 'invalid', message: MONTH_MESSAGE }]);
}

async function audit(call: Call): Promise<Outcome> {
  const month = readMonth(call);
  const data = presentAudit(await (await usageOf(call)).service.audit({ month }));
  const rows = Object.entries(data.accounts).flatMap(([account, sums]) =>
    Object.entries(sums).map(([mdn, bytes]) => [account, mdn, bytes]),
  );
  printSums(call, ['Account', 'MDN', 'Bytes'], rows, data.total);
  return { data };
}

async function listUnknown(call: Call): Promise<Outcome> {
  const month = readMonth(call);
  const data = presentUnknown(await (await usageOf(call)).service.listUnknown({ month }));
  printSums(call, ['MDN', 'Bytes'], Object.entries(data.per_mdn), data.total);
  return { data };
}

function printSums(
  { terminal }: Call,
  headings: readonly string[],
  rows: readonly (readonly unknown[])[],
  total: number,
): void {
  if (rows.length > 0) for (const line of formatTable(headings, rows)) terminal.print(line);
  terminal.print(`${total} bytes in all`);
}

async function listMonths(call: Call): Promise<Outcome> {
  const months = await (await usageOf(call)).service.listMonths();
  const rows = months.map(({ month, bytes }) => [month, bytes]);
  for (const line of formatTable(['Month', 'Bytes'], rows)) call.terminal.print(line);
  return { data: months };
}

const commands: readonly Command[] = [
  {
    name: 'import',
    parameters: ['<file>'],
    summary: "Take a carrier's usage file in: CSV, packed if its name ends with .gz",
    details: [
      'file: its name, or - for what comes by a pipe.',
      'Rows that cannot be read are told with their line; the others go in. Exit code 2 then.',
      'Safe to repeat: a session counts once, and its final record beats interim ones.',
    ],
    options: ['carrier'],
    run: importUsage,
  },
  {
    name: 'poll',
    parameters: [],
    summary: 'Fetch the usage files that the carriers have had since the last poll',
    details: ['What fails is tried again by the next poll; the exit code is 2 then.'],
    run: poll,
  },
  {
    name: 'audit',
    parameters: ['<month>'],
    summary: 'Show what every number of every account used in a month, YYYYMM in UTC',
    run: audit,
  },
  {
    name: 'unknown_numbers',
    parameters: ['<month>'],
    summary: 'Show what numbers used in a month that no line has',
    run: listUnknown,
  },
  {
    name: 'list_months',
    parameters: [],
    summary: 'List the months with usage',
    run: listMonths,
  },
];

/** Mobile data that carriers report. */
export const usageMaintenance: Module = {
  name: 'usage_maintenance',
  summary: 'Usage of mobile data: import, polling, audits',
  commands,
};
