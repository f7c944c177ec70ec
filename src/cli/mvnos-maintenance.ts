import { AppError } from '../core/errors.js';
import type { Mvno } from '../resources/mvnos/mvnos.doc.js';
import { presentMvno } from '../resources/mvnos/mvnos.present.js';
import type { Call, Command, Module, Outcome } from './command.js';
import { readKeyIfGiven } from './key-input.js';
import { formatTable } from './table.js';

const HEADINGS = ['MVNO', 'Name', 'Cluster', 'Carriers'];
const CARRIER_HEADINGS = ['Carrier', 'Driver', 'Address', 'Time limit', 'Key', 'Is'];
/** What every driver takes. */
const MIN_TIMEOUT_MS = 100;
const MAX_TIMEOUT_MS = 120_000;

async function service(call: Call) {
  return (await call.open()).services.support.mvnos.service;
}

async function list(call: Call): Promise<Outcome> {
  const mvnos = await (await service(call)).list();
  const rows = mvnos.map(({ id, name, clusterId, carriers }) => {
    return [id, name, clusterId, [...carriers.keys()].join(', ') || undefined];
  });
  for (const line of formatTable(HEADINGS, rows)) call.terminal.print(line);
  return { data: mvnos.map(presentMvno) };
}

function printMvno(call: Call, mvno: Mvno): void {
  const { terminal } = call;
  for (const line of formatTable(HEADINGS.slice(0, 3), [[mvno.id, mvno.name, mvno.clusterId]])) {
    terminal.print(line);
  }
  const rows = [...mvno.carriers].map(([name, { driver, settings, sealedKey }]) => [
    name,
    driver,
    settings['url'],
    settings['timeout_ms'] === undefined ? undefined : `${settings['timeout_ms']} ms`,
    sealedKey === undefined ? undefined : 'sealed',
    mvno.defaultCarrier === name ? 'default' : undefined,
  ]);
  terminal.print('');
  for (const line of formatTable(CARRIER_HEADINGS, rows)) terminal.print(line);
}

async function show(call: Call): Promise<Outcome> {
  const mvno = await (await service(call)).get(call.args[0] ?? '');
  printMvno(call, mvno);
  return { data: presentMvno(mvno) };
}

async function create(call: Call): Promise<Outcome> {
  const [id = '', name = '', clusterId] = call.args;
  const mvno = await (await service(call)).create(id, name, clusterId);
  call.terminal.print(`created MVNO ${id}`);
  return { data: presentMvno(mvno) };
}

function timeoutOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const timeoutMs = Number(text);
  if (!/^\d{1,6}$/.test(text) || timeoutMs < MIN_TIMEOUT_MS || timeoutMs > MAX_TIMEOUT_MS) {
    const range = `${MIN_TIMEOUT_MS} to ${MAX_TIMEOUT_MS}`;
    throw new AppError('invalid', `timeout_ms: a whole number from ${range}`);
  }
  return timeoutMs;
}

async function setCarrier(call: Call): Promise<Outcome> {
  const [id = '', name = '', driver = '', url, timeout] = call.args;
  const timeoutMs = timeoutOf(timeout);
  const key = await readKeyIfGiven(call);
  const mvnos = await service(call);
  const mvno = await mvnos.setCarrier(id, name, { driver, url, timeoutMs, key });
  call.terminal.print(`set carrier ${name} of MVNO ${id}`);
  return { data: presentMvno(mvno) };
}

async function removeCarrier(call: Call): Promise<Outcome> {
  const [id = '', name = ''] = call.args;
  const mvno = await (await service(call)).removeCarrier(id, name);
  call.terminal.print(`removed carrier ${name} of MVNO ${id}`);
  return { data: presentMvno(mvno) };
}

async function setDefaultCarrier(call: Call): Promise<Outcome> {
  const [id = '', name = ''] = call.args;
  const mvno = await (await service(call)).setDefaultCarrier(id, name);
  call.terminal.print(`carrier ${name} is the default of MVNO ${id}`);
  return { data: presentMvno(mvno) };
}

async function remove(call: Call): Promise<Outcome> {
  const mvno = await (await service(call)).remove(call.args[0] ?? '');
  call.terminal.print(`deleted MVNO ${mvno.id}`);
  return { data: presentMvno(mvno) };
}

const commands: readonly Command[] = [
  { name: 'list_mvnos', parameters: [], summary: 'List the MVNOs and their carriers', run: list },
  {
    name: 'show_mvno',
    parameters: ['<mvno>'],
    summary: 'Show an MVNO and how its carriers are reached',
    run: show,
  },
  {
    name: 'create_mvno',
    parameters: ['<mvno>', '<name>', '[cluster]'],
    summary: 'Add an MVNO; its cluster may be added later',
    run: create,
  },
  {
    name: 'set_carrier',
    parameters: ['<mvno>', '<carrier>', '<driver>', '[url]', '[timeout_ms]'],
    summary: 'Say how a carrier of an MVNO is reached',
    details: [
      'driver: http, with the url of the carrier, or sandbox.',
      'Without --key-file or --key-stdin the key that is stored stays.',
      'The running service takes it up at once.',
    ],
    options: ['key-file', 'key-stdin'],
    run: setCarrier,
  },
  {
    name: 'set_default_carrier',
    parameters: ['<mvno>', '<carrier>'],
    summary: 'Say which carrier is asked where a request names none of several',
    run: setDefaultCarrier,
  },
  {
    name: 'remove_carrier',
    parameters: ['<mvno>', '<carrier>'],
    summary: 'Remove a carrier of an MVNO, and its key',
    run: removeCarrier,
  },
  {
    name: 'delete_mvno',
    parameters: ['<mvno>'],
    summary: 'Delete an MVNO that no cluster belongs to',
    run: remove,
  },
];

/** The operators whose lines are looked after here. */
export const mvnosMaintenance: Module = {
  name: 'mvnos_maintenance',
  summary: 'The MVNOs and their carriers',
  commands,
};
