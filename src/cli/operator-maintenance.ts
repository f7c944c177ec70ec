import { AppError } from '../core/errors.js';
import { fromGregorian } from '../core/gregorian.js';
import type { Account } from '../resources/accounts/accounts.doc.js';
import type { OperatorUser } from '../resources/operators/operators.doc.js';
import { parseAccountId } from './account-id.js';
import type { Call, Command, Module, Outcome } from './command.js';
import { newPassword } from './new-password.js';
import { formatTable } from './table.js';

const ACCOUNT_DETAIL = 'account: its id, or the name of its database.';
const PASSWORD_DETAIL = 'Without an option a password is made and printed.';
/** Ids of customers stand in paths and, several of them between commas, in filters. */
const CUSTOMER_ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const LIMIT = /^\d{1,7}$/;

async function operators(call: Call) {
  return (await call.open()).services.operators.service;
}

function accountIdIn(text: string): string {
  const id = parseAccountId(text);
  if (id === undefined) throw new AppError('not_found', `${text} is no account id`);
  return id;
}

function present({ username, accountId, isEnabled }: OperatorUser) {
  return { username, account_id: accountId, enabled: isEnabled };
}

async function create(call: Call): Promise<Outcome> {
  const [username = '', account = ''] = call.args;
  const accountId = accountIdIn(account);
  const { password, isMade } = await newPassword(call);
  const operator = await (await operators(call)).create(username, accountId, password);
  call.terminal.print(`created operator ${username} of account ${accountId}`);
  if (isMade) call.terminal.print(`password: ${password}`);
  return { data: { ...present(operator), ...(isMade ? { password } : {}) } };
}

async function list(call: Call): Promise<Outcome> {
  const all = await (await operators(call)).list();
  const rows = all.map(({ username, accountId, isEnabled, created }) => {
    const day = new Date(fromGregorian(created)).toISOString().slice(0, 10);
    return [username, accountId, isEnabled ? 'yes' : 'no', day];
  });
  const headings = ['Operator', 'Account', 'Enabled', 'Created'];
  for (const line of formatTable(headings, rows)) call.terminal.print(line);
  return { data: all.map(present) };
}

async function setPassword(call: Call): Promise<Outcome> {
  const [username = ''] = call.args;
  const { password, isMade } = await newPassword(call);
  const operator = await (await operators(call)).setPassword(username, password);
  call.terminal.print(isMade ? `new password: ${password}` : 'ok');
  return { data: { ...present(operator), ...(isMade ? { password } : {}) } };
}

/** A command that does one thing to an operator. */
function changing(
  name: string,
  summary: string,
  change: (service: Awaited<ReturnType<typeof operators>>, name: string) => Promise<OperatorUser>,
): Command {
  return {
    name,
    parameters: ['<username>'],
    summary,
    async run(call) {
      const operator = await change(await operators(call), call.args[0] ?? '');
      call.terminal.print('ok');
      return { data: present(operator) };
    },
  };
}

function presentCustomer({ id, customerId, sipAccountLimit }: Account) {
  return {
    account_id: id,
    customer_id: customerId ?? null,
    sip_account_limit: sipAccountLimit ?? null,
  };
}

async function setCustomer(call: Call): Promise<Outcome> {
  const [account = '', customerId = '', limit] = call.args;
  const accountId = accountIdIn(account);
  if (!CUSTOMER_ID.test(customerId)) {
    const text = 'up to 64 letters, digits, dots, hyphens and underscores';
    throw new AppError('invalid', `customer id: must be ${text}`);
  }
  if (limit !== undefined && !LIMIT.test(limit)) {
    throw new AppError('invalid', 'sip_account_limit: must be a whole number');
  }
  const { services } = await call.open();
  const changed = await services.identifiers.set(
    accountId,
    { customer_id: customerId },
    { pvt_sip_account_limit: limit === undefined ? undefined : Number(limit) },
  );
  call.terminal.print(`account ${accountId} is customer ${customerId}`);
  return { data: presentCustomer(changed) };
}

async function unsetCustomer(call: Call): Promise<Outcome> {
  const accountId = accountIdIn(call.args[0] ?? '');
  const { services } = await call.open();
  const none = { pvt_sip_account_limit: undefined };
  const changed = await services.identifiers.set(accountId, { customer_id: undefined }, none);
  call.terminal.print(`account ${accountId} is no customer`);
  return { data: presentCustomer(changed) };
}

async function listCustomers(call: Call): Promise<Outcome> {
  const accountId = accountIdIn(call.args[0] ?? '');
  const { services } = await call.open();
  await services.accounts.get(accountId);
  const { byId } = await services.customers.findScope(accountId);
  const all = [...byId.values()];
  const headings = ['Customer', 'Account', 'Name', 'SIP account limit'];
  const rows = all.map((each) => [
    each.customerId,
    each.accountId,
    each.name,
    each.sipAccountLimit,
  ]);
  for (const line of formatTable(headings, rows)) call.terminal.print(line);
  const data = all.map((each) => ({
    account_id: each.accountId,
    customer_id: each.customerId,
    sip_account_limit: each.sipAccountLimit ?? null,
  }));
  return { data };
}

const commands: readonly Command[] = [
  {
    name: 'create',
    parameters: ['<username>', '<account>'],
    summary: 'Create an operator, who sees the customers below an account by JSON:API',
    details: [ACCOUNT_DETAIL, PASSWORD_DETAIL],
    options: ['password', 'password-stdin'],
    run: create,
  },
  { name: 'list', parameters: [], summary: 'List the operators', run: list },
  {
    name: 'set_password',
    parameters: ['<username>'],
    summary: 'Give an operator another password; the old one ends within a second',
    details: [PASSWORD_DETAIL],
    options: ['password', 'password-stdin'],
    run: setPassword,
  },
  changing('enable', 'Let an operator in', (service, name) => service.setEnabled(name, true)),
  changing('disable', 'Keep an operator out', (service, name) => service.setEnabled(name, false)),
  changing('delete', 'Delete an operator', (service, name) => service.remove(name)),
  {
    name: 'set_customer',
    parameters: ['<account>', '<customer_id>', '[sip_account_limit]'],
    summary: 'Make an account a customer, under an id of your own choice',
    details: [
      ACCOUNT_DETAIL,
      'sip_account_limit: SIP accounts that it may have; without it any number. Those that it has',
      'beyond a limit go on working.',
    ],
    run: setCustomer,
  },
  {
    name: 'unset_customer',
    parameters: ['<account>'],
    summary: 'Make an account no customer any more; its SIP accounts stay',
    details: [ACCOUNT_DETAIL],
    run: unsetCustomer,
  },
  {
    name: 'list_customers',
    parameters: ['<account>'],
    summary: 'List the customers below an account',
    details: [ACCOUNT_DETAIL],
    run: listCustomers,
  },
];

/** Who speaks JSON:API, and about whom. */
export const operatorMaintenance: Module = {
  name: 'operator_maintenance',
  summary: 'Operators of the JSON:API, and the customers that they look after',
  commands,
};
