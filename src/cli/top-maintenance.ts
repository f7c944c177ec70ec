import { AppError, hasCode } from '../core/errors.js';
import type { PagePosition } from '../core/paging.js';
import { presentDevice } from '../resources/subscriptions/devices.present.js';
import type { Subscription } from '../resources/subscriptions/subscriptions.doc.js';
import {
  presentLookup,
  presentSubscription,
} from '../resources/subscriptions/subscriptions.present.js';
import { parseAccountId } from './account-id.js';
import type { Call, Command, Module, Outcome } from './command.js';
import { EXIT } from './exit-codes.js';
import { LINE_DETAILS, readTypedLine } from './line-name.js';
import {
  printCarrierLine,
  printDevice,
  printLines,
  printSubscription,
} from './top-maintenance-tables.js';

const SUBSCRIPTION_ID = /^[0-9a-f]{32}$/;
const PAGE = 1_000;
/** Lines of one list. */
const LIST_MAX = 100_000;

const ACCOUNT_DETAIL = 'account: its id, or the name of its database.';
const HELD_DETAIL = 'subscription: its id, or its line.';
const DRY_DETAIL = 'With --dry-run everything is checked and nothing is written.';

async function open(call: Call) {
  const { services } = await call.open();
  return { system: services.system, lines: services.support.subscriptions };
}

/** The rules on the real store, or on one that only pretends to write. */
function rulesOf(call: Call, lines: Awaited<ReturnType<typeof open>>['lines']) {
  return call.options['dry-run'] === true ? lines.dry : lines.service;
}

function accountOf(text: string): string {
  const id = parseAccountId(text);
  if (id === undefined) throw new AppError('not_found', `${text} is no account id`);
  return id;
}

/** The subscription that was typed, by its id or by its line. */
async function findTyped(call: Call, text: string): Promise<Subscription> {
  const { lines } = await open(call);
  if (SUBSCRIPTION_ID.test(text)) return lines.lookup.getAnyLine(text);
  const { kind, value } = readTypedLine(text);
  const line = await lines.lookup.findLine({ [kind]: value });
  if (line !== undefined) return line;
  throw new AppError('not_found', `nobody has the line with ${kind} ${value}`, { subject: value });
}

function sayDone(call: Call, text: string): void {
  call.terminal.print(call.options['dry-run'] === true ? `would have ${text}` : text);
}

async function lookup(call: Call): Promise<Outcome> {
  const { kind, value } = readTypedLine(call.args[0] ?? '');
  const { system, lines } = await open(call);
  const clusterId = await system.findClusterId();
  const { carrier } = call.options;
  const found = await lines.lookup.lookUp(clusterId, { [kind]: value }, carrier);
  printCarrierLine(call.terminal, found);
  call.terminal.print('');
  if (found.subscription === undefined) call.terminal.print('No account has it');
  else printSubscription(call.terminal, found.subscription);
  return { data: presentLookup(found) };
}

async function importLine(call: Call): Promise<Outcome> {
  const accountId = accountOf(call.args[0] ?? '');
  const { kind, value } = readTypedLine(call.args[1] ?? '');
  const { system, lines } = await open(call);
  const id = await system.findClusterId();
  const imported = await rulesOf(call, lines).importLine({
    accountId,
    cluster: { id, isOwn: true, isMaster: true, isSuperMaster: true },
    carrierName: call.options.carrier,
    query: { [kind]: value },
    needsDevice: false,
  });
  const { subscription, device } = imported;
  const what = device === undefined ? 'without a device' : `with device ${device.id}`;
  sayDone(call, `imported ${value} into ${accountId} as ${subscription.id}, ${what}`);
  return { data: presentSubscription(subscription) };
}

/** A device that is detached has no line, and is found by its id alone. */
async function showDetached(call: Call, error: unknown): Promise<Outcome> {
  const [text = ''] = call.args;
  const typed = SUBSCRIPTION_ID.test(text) ? undefined : readTypedLine(text);
  if (typed?.kind !== 'esn' || !hasCode(error, 'not_found')) throw error;
  const { lines } = await open(call);
  const device = await lines.lookup.findDevice(typed.value);
  if (device === undefined) throw error;
  printDevice(call.terminal, device);
  return { data: { subscription: null, device: presentDevice(device) } };
}

async function show(call: Call): Promise<Outcome> {
  let line: Subscription;
  try {
    line = await findTyped(call, call.args[0] ?? '');
  } catch (error) {
    return showDetached(call, error);
  }
  const { lines } = await open(call);
  const device = await lines.lookup.findDevice(line.esn);
  printSubscription(call.terminal, line);
  if (device !== undefined) {
    call.terminal.print('');
    printDevice(call.terminal, device);
  }
  const { accountId: account_id, clusterId: cluster_id } = line;
  const subscription = { ...presentSubscription(line), account_id, cluster_id };
  return { data: { subscription, device: device === undefined ? null : presentDevice(device) } };
}

async function list(call: Call): Promise<Outcome> {
  const accountId = accountOf(call.args[0] ?? '');
  const { lines } = await open(call);
  const found: Subscription[] = [];
  let start: PagePosition | undefined;
  do {
    const request = { size: PAGE, descending: false, start };
    const page = await lines.lookup.listLines({ accountId }, request);
    found.push(...page.rows);
    start = page.next;
  } while (start !== undefined && found.length < LIST_MAX && !call.signal.aborted);
  if (found.length === 0) call.terminal.print('No subscriptions found');
  else printLines(call.terminal, found);
  if (start !== undefined) call.terminal.say(`there are more than ${LIST_MAX}`);
  return { data: found.map(presentSubscription) };
}

async function move(call: Call): Promise<Outcome> {
  const [text = '', typedAccount = '', targetClusterId] = call.args;
  const targetAccountId = accountOf(typedAccount);
  const { id: subscriptionId, accountId, clusterId } = await findTyped(call, text);
  const { lines } = await open(call);
  const target = { targetAccountId, targetClusterId };
  const input = { accountId, clusterId, subscriptionId, ...target };
  const moved = await rulesOf(call, lines).moveSubscription(input);
  const { accountId: account_id, clusterId: cluster_id } = moved;
  const where = cluster_id === clusterId ? '' : ` of cluster ${cluster_id}`;
  sayDone(call, `moved ${moved.id} from ${accountId} to ${account_id}${where}`);
  return { data: { ...presentSubscription(moved), account_id, cluster_id } };
}

async function remove(call: Call): Promise<Outcome> {
  const cascade = call.options.cascade === true;
  const { id: subscriptionId, accountId, clusterId } = await findTyped(call, call.args[0] ?? '');
  const { lines } = await open(call);
  const removed = await rulesOf(call, lines).removeSubscription({
    accountId,
    clusterId,
    subscriptionId,
    cascade,
  });
  const device = cascade ? 'and its device' : 'its device is detached';
  const { esn } = removed;
  sayDone(call, `deleted ${removed.id} of ${accountId}${esn === null ? '' : `, ${device}`}`);
  return { data: presentSubscription(removed) };
}

async function sweep(call: Call): Promise<Outcome> {
  const { lines } = await open(call);
  const done = await lines.sweep(call.signal);
  call.terminal.print(
    `${done.finished} operations settled, ${done.claimsMade} claims made and ` +
      `${done.claimsReleased} released, ${done.copiesWritten} copies written and ` +
      `${done.copiesRemoved} removed`,
  );
  for (const failure of done.failures) call.terminal.say(`left alone: ${failure}`);
  const data = {
    finished: done.finished,
    claims_made: done.claimsMade,
    claims_released: done.claimsReleased,
    copies_written: done.copiesWritten,
    copies_removed: done.copiesRemoved,
    failures: done.failures,
  };
  return done.failures.length === 0 ? { data } : { data, exit: EXIT.failed };
}

const commands: readonly Command[] = [
  {
    name: 'sweep',
    parameters: [],
    summary: 'End or undo what was cut off, and repair claims and copies',
    details: ['Safe to run at any time; a second run has nothing to do.'],
    run: sweep,
  },
  {
    name: 'lookup',
    parameters: ['<line>'],
    summary: 'Ask the carrier about a line, and look who has it',
    details: LINE_DETAILS,
    options: ['carrier'],
    run: lookup,
  },
  {
    name: 'import',
    parameters: ['<account>', '<line>'],
    summary: 'Import an active line, and its device if it has one, from its carrier',
    details: [ACCOUNT_DETAIL, ...LINE_DETAILS, DRY_DETAIL],
    options: ['carrier', 'dry-run'],
    run: importLine,
  },
  {
    name: 'show',
    parameters: ['<subscription>'],
    summary: 'Show a subscription and its device, whoever has them',
    details: [HELD_DETAIL, ...LINE_DETAILS, 'A device without subscription is shown by its ESN.'],
    run: show,
  },
  {
    name: 'list',
    parameters: ['<account>'],
    summary: 'List the subscriptions of an account, by their numbers',
    details: [ACCOUNT_DETAIL],
    run: list,
  },
  {
    name: 'move',
    parameters: ['<subscription>', '<account>', '[cluster]'],
    summary: 'Move a subscription and its device to another account, or another cluster',
    details: [HELD_DETAIL, ...LINE_DETAILS, ACCOUNT_DETAIL, DRY_DETAIL],
    options: ['dry-run'],
    run: move,
  },
  {
    name: 'delete',
    parameters: ['<subscription>'],
    summary: 'Delete a subscription here; its carrier is not told',
    details: [
      HELD_DETAIL,
      ...LINE_DETAILS,
      'Its device is detached and stays in the account, or is deleted with --cascade.',
      DRY_DETAIL,
    ],
    options: ['cascade', 'dry-run'],
    run: remove,
  },
];

/** Mobile lines and their devices. */
export const topMaintenance: Module = {
  name: 'top_maintenance',
  summary: 'Mobile lines and their devices',
  commands,
};
