import { InvalidError } from '../core/errors.js';
import { type IpAddress, parseIp } from '../core/ip-address.js';
import { parseAccountId } from './account-id.js';
import type { Call, Command, Module, Outcome } from './command.js';
import { EXIT } from './exit-codes.js';
import { formatIpTable } from './ip-table.js';
import { addIps, isFileName } from './kazoo-ips-add.js';
import { fail, NO_IP, orFail } from './kazoo-line.js';

/** The address, or undefined with a remark: no pool can have what is no address. */
function readIp(call: Call, text: string): IpAddress | undefined {
  const ip = parseIp(text);
  if (ip === undefined) call.terminal.say(NO_IP);
  return ip;
}

/** Kazoo knows no difference between one's own and another's: both are `already_assigned`. */
function refusalOf(error: InvalidError): string {
  return error.issues[0]?.rule === 'not_found' ? 'not_found' : 'already_assigned';
}

async function assign(call: Call): Promise<Outcome> {
  const [typedIp = '', typedAccount = ''] = call.args;
  const line = 'unable to assign IP';
  const ip = readIp(call, typedIp);
  if (ip === undefined) return fail(call, line, 'not_found');
  const accountId = parseAccountId(typedAccount);
  return orFail(call, line, async () => {
    const { services } = await call.open();
    const account = accountId === undefined ? undefined : await services.accounts.find(accountId);
    if (account === undefined) return fail(call, 'unable to find account', 'not_found');
    try {
      const batch = await services.ips.assign(account.id, [ip]);
      const reason = batch.error.get(ip);
      if (reason !== undefined) return fail(call, line, reason);
    } catch (error) {
      if (error instanceof InvalidError) return fail(call, line, refusalOf(error));
      throw error;
    }
    call.terminal.print(`assigned IP ${ip} to ${typedAccount}`);
    return { data: { ip, account_id: account.id, status: 'assigned' } };
  });
}

async function release(call: Call): Promise<Outcome> {
  const line = 'unable to release IP';
  const ip = readIp(call, call.args[0] ?? '');
  if (ip === undefined) return fail(call, line, 'not_found');
  return orFail(call, line, async () => {
    const { services } = await call.open();
    await services.ips.releaseAny(ip);
    call.terminal.print(`released IP ${ip}`);
    return { data: { ip, status: 'available' } };
  });
}

async function remove(call: Call): Promise<Outcome> {
  const line = 'unable to delete IP';
  const ip = readIp(call, call.args[0] ?? '');
  if (ip === undefined) return fail(call, line, 'not_found');
  return orFail(call, line, async () => {
    const { services } = await call.open();
    await services.ips.remove(ip);
    call.terminal.print(`deleted IP ${ip}`);
    return { data: { ip, status: 'deleted' } };
  });
}

async function summary(call: Call): Promise<Outcome> {
  const [host] = call.args;
  const ofHost = host === undefined ? '' : ` assigned to host ${host}`;
  return orFail(call, `Unable to list IPs${ofHost}`, async () => {
    const { services } = await call.open();
    const rows = await services.ips.summarize(host);
    const lines = rows.length === 0 ? ['No IPs found'] : formatIpTable(rows);
    for (const line of lines) call.terminal.print(line);
    const data = rows.map(({ assignedTo, ...row }) => ({ ...row, assigned_to: assignedTo }));
    return { data };
  });
}

/** Prints nothing, as in Kazoo; what was repaired is told on stderr. */
async function refresh(call: Call): Promise<Outcome> {
  const { services } = await call.open();
  const done = await services.refresh.ips(call.signal);
  call.terminal.say(
    `${done.copiesWritten} copies written, ${done.copiesRemoved} removed, ` +
      `${done.released} addresses of deleted accounts released`,
  );
  for (const id of done.unreadable) call.terminal.say(`left alone, it cannot be read: ${id}`);
  const data = {
    copies_written: done.copiesWritten,
    copies_removed: done.copiesRemoved,
    released: done.released,
    unreadable: done.unreadable,
  };
  return done.unreadable.length === 0 ? { data } : { data, exit: EXIT.failed };
}

const commands: readonly Command[] = [
  {
    name: 'add',
    parameters: ['<ip>', '<zone>', '<host>'],
    otherForms: [{ parameters: ['<file>'], takes: isFileName }],
    summary: 'Add an address to the pool of dedicated IPs',
    details: [
      'ip: an address, or a block such as 192.0.2.0/28 with its first and last address.',
      'zone: where the proxy stands; host: the name of the proxy.',
      'file: CSV with an address, its zone and its host in each line, or - for a pipe. A first',
      'line with the names ip, zone and host may have them in another order, and more columns.',
      'Lines that fail are told with their number; the others are added, and a repeat is safe.',
    ],
    run: addIps,
  },
  {
    name: 'assign',
    parameters: ['<ip>', '<account>'],
    summary: 'Assign an available IP to an account',
    details: ['account: its id, or the name of its database.'],
    run: assign,
  },
  {
    name: 'release',
    parameters: ['<ip>'],
    summary: 'Make an IP available again, whoever holds it',
    run: release,
  },
  {
    name: 'delete',
    parameters: ['<ip>'],
    summary: 'Take an IP out of the pool, assigned or not',
    run: remove,
  },
  {
    name: 'summary',
    parameters: ['[host]'],
    summary: 'List the IPs by host, or those of one host',
    run: summary,
  },
  {
    name: 'refresh',
    parameters: [],
    summary: "Repair the copies of IPs in the accounts' databases",
    details: ['Addresses of accounts that are gone become available. Safe to run at any time.'],
    run: refresh,
  },
];

/** Kazoo's commands and lines for dedicated IPs (kazoo-crossbar §2.4). */
export const kazooIpsMaintenance: Module = {
  name: 'kazoo_ips_maintenance',
  summary: 'The pool of dedicated IPs',
  commands,
};
