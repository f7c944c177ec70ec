import { AppError } from '../core/errors.js';
import { formatUuid, parseUuid } from '../core/uuid.js';
import type { SipAccount } from '../resources/sip-accounts/sip-accounts.doc.js';
import { isOn } from '../resources/sip-accounts/sip-accounts.row.js';
import { parseAccountId } from './account-id.js';
import type { Call, Command, Module, Outcome } from './command.js';
import { makePassword, newPassword } from './new-password.js';
import { COLUMNS, importSipAccounts, readSipAccount } from './sip-accounts-import.js';
import { formatTable } from './table.js';

const ACCOUNT_DETAIL = 'account: its id, or the name of its database.';
const ID_DETAIL = 'id: of the SIP account, as UUID or 32 hexadecimal digits.';
const HEADINGS = ['SIP account', 'Account', 'User', 'Caller id name', 'Allowed IPs'];
/** Kazoo's phones take 32 characters at most. */
const PASSWORD_BYTES = 15;

async function sipAccounts(call: Call) {
  return (await call.open()).services.sipAccounts;
}

function accountIdIn(text: string): string {
  const id = parseAccountId(text);
  if (id === undefined) throw new AppError('not_found', `${text} is no account id`);
  return id;
}

function idIn(text: string): string {
  const id = parseUuid(text) ?? (/^[0-9a-f]{32}$/.test(text) ? text : undefined);
  if (id === undefined) throw new AppError('not_found', `${text} is no id of a SIP account`);
  return id;
}

/** Without the password: what is listed ends in logs and mails. */
function present(account: SipAccount) {
  return {
    id: formatUuid(account.id),
    account_id: account.accountId,
    username: account.username,
    realm: account.realm,
    caller_id_name: account.callerIdName,
    internal_caller_id: account.internalCallerId,
    external_caller_id: account.externalCallerId,
    use_allowed_ips: isOn(account, 'useAllowedIps'),
    allowed_ips: account.allowedIps,
  };
}

/** A password that was made where none was given; SIP's are shorter than others may be. */
async function sipPassword(call: Call): Promise<{ password: string; isMade: boolean }> {
  const given = await newPassword(call);
  return given.isMade ? { password: makePassword(PASSWORD_BYTES), isMade: true } : given;
}

async function create(call: Call): Promise<Outcome> {
  const [account = '', username = '', name, internal, external] = call.args;
  const accountId = accountIdIn(account);
  const { password, isMade } = await sipPassword(call);
  const input = readSipAccount({
    username,
    password,
    ...(name === undefined ? {} : { caller_id_name: name }),
    ...(internal === undefined ? {} : { internal_caller_id: internal }),
    ...(external === undefined ? {} : { external_caller_id: external }),
  });
  const { service } = await sipAccounts(call);
  const created = await service.create(accountId, input);
  const { realm } = created;
  call.terminal.print(`created SIP account ${formatUuid(created.id)}: ${username}@${realm}`);
  if (isMade) call.terminal.print(`password: ${password}`);
  return { data: { ...present(created), ...(isMade ? { password } : {}) } };
}

async function list(call: Call): Promise<Outcome> {
  const [account] = call.args;
  const accountId = account === undefined ? undefined : accountIdIn(account);
  const { services } = await call.open();
  // No account has no SIP accounts, and neither has one that is not there.
  if (accountId !== undefined) await services.accounts.get(accountId);
  const { listing } = services.sipAccounts;
  const all: SipAccount[] = [];
  for await (const some of listing.each(accountId)) {
    all.push(...some);
    call.terminal.progress(`${all.length} SIP accounts`);
    if (call.signal.aborted) break;
  }
  call.terminal.settle();
  const rows = all.map((each) => [
    formatUuid(each.id),
    each.accountId,
    `${each.username}@${each.realm}`,
    each.callerIdName,
    isOn(each, 'useAllowedIps') ? each.allowedIps : undefined,
  ]);
  for (const line of formatTable(HEADINGS, rows)) call.terminal.print(line);
  return { data: all.map(present) };
}

async function setPassword(call: Call): Promise<Outcome> {
  const id = idIn(call.args[0] ?? '');
  const { password, isMade } = await sipPassword(call);
  const { service } = await sipAccounts(call);
  const account = await service.setPassword(id, password);
  call.terminal.print(isMade ? `new password: ${password}` : 'ok');
  return { data: { ...present(account), ...(isMade ? { password } : {}) } };
}

async function remove(call: Call): Promise<Outcome> {
  const { service } = await sipAccounts(call);
  const account = await service.remove(idIn(call.args[0] ?? ''));
  call.terminal.print(`deleted SIP account ${formatUuid(account.id)}`);
  return { data: present(account) };
}

const commands: readonly Command[] = [
  {
    name: 'create',
    parameters: [
      '<account>',
      '<username>',
      '[caller_id_name]',
      '[internal_caller_id]',
      '[external_caller_id]',
    ],
    summary: 'Create a SIP account, unless its account has all that it may have',
    details: [ACCOUNT_DETAIL, 'Without an option a password is made and printed.'],
    options: ['password', 'password-stdin'],
    run: create,
  },
  {
    name: 'import',
    parameters: ['<file>'],
    summary: 'Create the SIP accounts of a CSV file; what is wrong with a line is told',
    details: [
      'file: its name, or - for what comes by a pipe. Its first line names the columns:',
      `  account,username[,${COLUMNS.slice(2, 5).join(',')}`,
      `  ,${COLUMNS.slice(5, 9).join(',')}`,
      `  ,${COLUMNS.slice(9).join(',')}]`,
      'in any order; switches are true or false. Where there is no password one is made and told.',
      'Lines that cannot be used do not keep the others from it; the file may be repeated.',
    ],
    run: importSipAccounts,
  },
  {
    name: 'list',
    parameters: ['[account]'],
    summary: 'List the SIP accounts, all or those of an account',
    details: [ACCOUNT_DETAIL],
    run: list,
  },
  {
    name: 'set_password',
    parameters: ['<id>'],
    summary: 'Give a SIP account another password; without an option one is made and printed',
    details: [ID_DETAIL],
    options: ['password', 'password-stdin'],
    run: setPassword,
  },
  {
    name: 'delete',
    parameters: ['<id>'],
    summary: 'Delete a SIP account; its user name can be had again',
    details: [ID_DETAIL],
    run: remove,
  },
];

/** The SIP accounts that operators see by JSON:API. */
export const sipAccountsMaintenance: Module = {
  name: 'sip_accounts_maintenance',
  summary: 'SIP accounts of the customers',
  commands,
};
