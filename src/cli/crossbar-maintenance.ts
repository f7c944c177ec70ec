import { AppError, hasCode } from '../core/errors.js';
import { purgeAccount } from '../resources/accounts/accounts.purge.js';
import { parseAccountId } from './account-id.js';
import type { Call, Command, Module, Outcome } from './command.js';
import { createAccount } from './create-account.js';
import { EXIT, exitOf } from './exit-codes.js';
import { newPassword } from './new-password.js';
import { describeError } from './terminal.js';

const ACCOUNT_DETAILS = ['account: its id, or the name of its database.'] as const;

function accountIdIn(text: string): string {
  const id = parseAccountId(text);
  if (id === undefined) throw new AppError('not_found', `${text} is no account id`);
  return id;
}

/** Kazoo's `ok` or `failed`; the reason is told on stderr. */
async function orFailed(
  call: Call,
  work: (accountId: string) => Promise<unknown>,
): Promise<Outcome> {
  try {
    const data = await work(accountIdIn(call.args[0] ?? ''));
    return { data };
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    call.terminal.print('failed');
    call.terminal.say(describeError(error));
    return { data: { error: error.reason ?? error.code }, exit: exitOf(error) };
  }
}

type Services = Awaited<ReturnType<Call['open']>>['services'];

/** A command that changes one thing about an account. */
function changing(
  name: string,
  summary: string,
  change: (services: Services, id: string) => Promise<unknown>,
): Command {
  return {
    name,
    parameters: ['<account>'],
    summary,
    details: ACCOUNT_DETAILS,
    run: (call) =>
      orFailed(call, async (id) => {
        const { services } = await call.open();
        await change(services, id);
        call.terminal.print('ok');
        return { account_id: id };
      }),
  };
}

function resetPassword(call: Call): Promise<Outcome> {
  return orFailed(call, async (id) => {
    const { password, isMade } = await newPassword(call);
    if (password === '') throw new AppError('invalid', 'the password is empty');
    const { services } = await call.open();
    const account = await services.accounts.get(id);
    const user = await services.users.setPassword(id, call.args[1] ?? '', password);
    call.terminal.print(isMade ? `new password: ${password}` : 'ok');
    if (!account.isEnabled) call.terminal.say('the account is disabled: nobody can sign in there');
    return { account_id: id, user_id: user.id, ...(isMade ? { password } : {}) };
  });
}

async function isConfirmed(call: Call, id: string): Promise<boolean> {
  if (call.options.yes) return true;
  const typed = await call.input.ask(
    `All data of account ${id} will be gone for good. Type its id to go on: `,
  );
  return typed.trim() === id;
}

async function purge(call: Call): Promise<Outcome> {
  if (!call.options.yes && !call.input.isInteractive) {
    call.terminal.say('purge_account needs --yes where nobody can be asked');
    return { data: { error: 'not_confirmed' }, exit: EXIT.usage };
  }
  return orFailed(call, async (id) => {
    const { services } = await call.open();
    if ((await services.accounts.find(id)) !== undefined) {
      throw new AppError('conflict', 'the account is not deleted; delete it first', {
        reason: 'account_not_deleted',
      });
    }
    if (!(await isConfirmed(call, id))) throw new AppError('invalid', 'nothing was purged');
    const count = await purgeAccount(services.accountStore, id);
    call.terminal.print(`purged account ${id} and ${count} databases`);
    return { account_id: id, databases: count };
  });
}

/** Goes on with the next account whatever becomes of one; running it again does the rest. */
async function convertApiKeys(call: Call): Promise<Outcome> {
  const { services } = await call.open();
  const ids = await services.accountStore.listIds();
  const failures: Record<string, string> = {};
  let converted = 0;
  for (const [n, id] of ids.entries()) {
    if (call.signal.aborted) break;
    call.terminal.progress(`(${n + 1}/${ids.length}) ${id}`);
    try {
      if (await services.apiKeys.convert(id)) converted += 1;
    } catch (error) {
      // Of a deleted account, and of a creation that was cut off, there is nothing to convert.
      if (hasCode(error, 'not_found')) continue;
      if (hasCode(error, 'unavailable')) throw error;
      failures[id] = describeError(error);
    }
  }
  call.terminal.print(`converted ${converted} API keys of ${ids.length} accounts`);
  for (const [id, text] of Object.entries(failures)) call.terminal.say(`${id}: ${text}`);
  const data = { accounts: ids.length, converted, failures };
  return Object.keys(failures).length === 0 ? { data } : { data, exit: EXIT.failed };
}

/** A master account is named as well where there is none: a creation was cut off, or data came. */
async function promote(services: Services, id: string): Promise<unknown> {
  const account = await services.accounts.setSuperduper(id, true);
  await services.system.config.ensure('accounts', 'master_account_id', () => id);
  return account;
}

const commands: readonly Command[] = [
  {
    name: 'create_account',
    parameters: ['<name>', '<realm>', '<user>', '<password>'],
    summary: 'Create an account with an admin user',
    details: [
      'password: - asks for it, or reads it from a pipe; as an argument it is visible in ps.',
      'The very first account becomes the master account: superduper, reseller, and named in',
      'system_config/accounts. Every other one becomes a child of the master account.',
    ],
    run: createAccount,
  },
  changing('enable_account', 'Let the users of an account sign in', (services, id) =>
    services.accounts.setEnabled(id, true),
  ),
  changing('disable_account', 'Keep the users of an account out, at once', (services, id) =>
    services.accounts.setEnabled(id, false),
  ),
  changing('promote_account', 'Make an account a system administrator', promote),
  changing('demote_account', 'Take that from it', (services, id) =>
    services.accounts.setSuperduper(id, false),
  ),
  {
    name: 'reset_password',
    parameters: ['<account>', '<user>'],
    summary: 'Give a user another password; without an option one is made and printed',
    details: [...ACCOUNT_DETAILS, 'The user is enabled, and its tokens end.'],
    options: ['password', 'password-stdin'],
    run: resetPassword,
  },
  {
    name: 'purge_account',
    parameters: ['<account>'],
    summary: 'Remove the databases of a deleted account, for good',
    details: ACCOUNT_DETAILS,
    options: ['yes'],
    run: purge,
  },
  {
    name: 'convert_api_keys',
    parameters: [],
    summary: 'Replace API keys that Kazoo stored in clear by digests; the keys go on working',
    run: convertApiKeys,
  },
];

/** Kazoo's commands for accounts (kazoo-accounts §1.7, §1.8), and some it lacks. */
export const crossbarMaintenance: Module = {
  name: 'crossbar_maintenance',
  summary: 'Accounts, their users and keys',
  commands,
};
