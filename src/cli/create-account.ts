import { AppError, InvalidError, type Issue } from '../core/errors.js';
import { validate } from '../core/validation.js';
import { encodedAccountDatabase } from '../couch/databases.js';
import type { Account } from '../resources/accounts/accounts.doc.js';
import { purgeAccount } from '../resources/accounts/accounts.purge.js';
import { accountBody } from '../resources/accounts/accounts.schema.js';
import { userBody } from '../resources/users/users.schema.js';
import type { Services } from '../services.js';
import type { Call, Outcome } from './command.js';
import { atomOf, exitOf } from './exit-codes.js';
import { describeError } from './terminal.js';

/** What the very first account may, as in Kazoo (kazoo-accounts §1.8). */
const MASTER = {
  pvt_superduper_admin: true,
  pvt_reseller: true,
  pvt_wnm_allow_additions: true,
} as const;

type Fields = Record<string, unknown>;

/** The faults of both bodies at once, before anything is written. */
function check(account: Fields, user: Fields): void {
  const issues: Issue[] = [];
  const bodies = [() => validate(accountBody, account), () => validate(userBody, user)];
  for (const judge of bodies) {
    try {
      judge();
    } catch (error) {
      if (!(error instanceof InvalidError)) throw error;
      issues.push(...error.issues);
    }
  }
  if (issues.length > 0) throw new InvalidError(issues);
}

async function hasAccounts(services: Services): Promise<boolean> {
  for (const id of await services.accountStore.listIds()) {
    if ((await services.accounts.find(id)) !== undefined) return true;
  }
  return false;
}

/** The parent of all accounts that have no other; undefined while there is none. */
async function findMaster(services: Services): Promise<Account | undefined> {
  const id = await services.system.findMasterId();
  return id === undefined ? undefined : services.accounts.find(id);
}

async function make(services: Services, fields: Fields): Promise<Account> {
  if (!(await hasAccounts(services))) return services.accounts.create(fields, { private: MASTER });
  const master = await findMaster(services);
  return services.accounts.create(fields, master === undefined ? {} : { parentId: master.id });
}

/** An account nobody can sign in to is of no use: without its user it is taken back. */
async function makeUser(call: Call, services: Services, account: Account, user: Fields) {
  try {
    return await services.users.create(account.id, user, { mayManageAdmins: true });
  } catch (error) {
    try {
      await services.accounts.remove(account.id);
      await purgeAccount(services.accountStore, account.id);
    } catch (undoing) {
      call.terminal.say(`account ${account.id} stays without its user (${describeError(undoing)})`);
    }
    throw error;
  }
}

/** Names the first account master; of two made at once the one named first keeps the rights. */
async function settleMaster(call: Call, services: Services, account: Account): Promise<void> {
  if (!account.isSuperduper) return;
  const { config } = services.system;
  const masterId = await config.ensure('accounts', 'master_account_id', () => account.id);
  if (masterId === account.id) {
    call.terminal.print('updated master account id in system_config.accounts');
    return;
  }
  if ((await services.accounts.find(String(masterId))) === undefined) {
    call.terminal.say(`system_config/accounts names a master account that is gone: ${masterId}`);
    return;
  }
  const none = Object.fromEntries(Object.keys(MASTER).map((name) => [name, undefined]));
  await services.accounts.setPrivate(account.id, () => none);
}

/** Kazoo's shape of faults, without what was typed: it may be the password. */
function describeIssues(issues: readonly Issue[]): string {
  const faults: Record<string, Record<string, { message: string }>> = {};
  for (const { path, rule, message } of issues) {
    const name = path.join('.');
    faults[name] = { ...faults[name], [rule]: { message } };
  }
  return JSON.stringify(faults);
}

/** `create_account <name> <realm> <user> <password>`, with Kazoo's lines. */
export async function createAccount(call: Call): Promise<Outcome> {
  const [name = '', realm = '', username = '', typed = ''] = call.args;
  try {
    const password = typed === '-' ? await call.input.readSecret('password') : typed;
    const fields = { name, realm: realm.replaceAll(' ', '') };
    const user = {
      first_name: 'Account',
      last_name: 'Admin',
      priv_level: 'admin',
      username,
      password,
    };
    check(fields, user);
    const { services } = await call.open();
    const account = await make(services, fields);
    const admin = await makeUser(call, services, account, user);
    const database = encodedAccountDatabase(account.id);
    call.terminal.print(`created new account '${account.id}' in db '${database}'`);
    call.terminal.print(`created new account admin user '${admin.id}'`);
    await settleMaster(call, services, account);
    return { data: { account_id: account.id, user_id: admin.id } };
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    const isInvalid = error instanceof InvalidError;
    const reason = isInvalid ? describeIssues(error.issues) : atomOf(error);
    call.terminal.print(`failed to create '${name}': ${reason}`);
    if (!isInvalid) call.terminal.say(describeError(error));
    const data = { error: isInvalid ? JSON.parse(reason) : reason };
    return { data, exit: exitOf(error) };
  }
}
