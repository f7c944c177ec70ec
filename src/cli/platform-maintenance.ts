import { readFile, writeFile } from 'node:fs/promises';
import { AppError } from '../core/errors.js';
import { fromGregorian } from '../core/gregorian.js';
import type {
  PlatformAccount,
  PlatformKey,
} from '../resources/platform-accounts/platform-accounts.doc.js';
import { parseAccountId } from './account-id.js';
import type { Call, Command, Module, Outcome } from './command.js';
import { formatTable } from './table.js';

const PUBLIC_KEY_BYTES_MAX = 16_384;
const SECRET_FILE = { mode: 0o600, flag: 'wx' } as const;
const KEY_HEADINGS = ['Account', 'Key', 'Kind', 'Created'];
const ACCOUNT_HEADINGS = [
  'Number',
  'Account',
  'Name',
  'Email',
  'Password',
  'Keys',
  'allowed is',
  'Guarded',
];

async function service(call: Call) {
  return (await call.open()).services.platform.accounts;
}

function presentAccount(account: PlatformAccount) {
  return {
    account_id: account.platformId,
    account: account.accountId,
    name: account.name ?? null,
    email: account.email ?? null,
    has_password: account.passwordDigest !== undefined,
    keys: account.keys.length,
    allowed_type: account.allowedType,
    enforce_authorized_ips: account.isGuarded,
  };
}

function presentKey(account: PlatformAccount, { id, kind, created }: PlatformKey) {
  const time = new Date(fromGregorian(created)).toISOString();
  return { account_id: account.platformId, key_id: id, kind, created: time };
}

async function listAccounts(call: Call): Promise<Outcome> {
  const data = (await (await service(call)).list()).map(presentAccount);
  const rows = data.map((each) => [
    each.account_id,
    each.account,
    each.name,
    each.email,
    each.has_password ? 'set' : undefined,
    each.keys,
    each.allowed_type,
    each.enforce_authorized_ips ? 'yes' : 'no',
  ]);
  for (const line of formatTable(ACCOUNT_HEADINGS, rows)) call.terminal.print(line);
  return { data };
}

async function createAccount(call: Call): Promise<Outcome> {
  const [text = ''] = call.args;
  const id = parseAccountId(text);
  if (id === undefined) throw new AppError('not_found', `${text} is no account id`);
  const account = await (await service(call)).create(id);
  call.terminal.print(`account ${id} is platform account ${account.platformId}`);
  return { data: presentAccount(account) };
}

async function createApiKey(call: Call): Promise<Outcome> {
  const [platformId = ''] = call.args;
  const { id, apiKey } = await (await service(call)).createApiKey(platformId);
  call.terminal.print(apiKey);
  call.terminal.say(`this is shown once; its key id is ${id}`);
  return { data: { account_id: Number(platformId), key_id: id, api_key: apiKey } };
}

/** Says why before a key is made that then could not be written down. */
async function createKey(call: Call): Promise<Outcome> {
  const [platformId = '', path] = call.args;
  const accounts = await service(call);
  if (path !== undefined) await writeSecret(path, '');
  const credentials = await accounts.createKey(platformId);
  const text = `${JSON.stringify(credentials, null, 2)}\n`;
  if (path === undefined) call.terminal.print(text.trimEnd());
  else await writeFile(path, text);
  const where = path === undefined ? 'this' : path;
  call.terminal.say(`${where} is what Voximplant's SDKs read as credentials.json, shown once`);
  return { data: path === undefined ? credentials : { ...credentials, private_key: undefined } };
}

async function writeSecret(path: string, text: string): Promise<void> {
  try {
    await writeFile(path, text, SECRET_FILE);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const why = code === 'EEXIST' ? 'is there already' : `cannot be written (${code})`;
    throw new AppError('invalid', `${path} ${why}`);
  }
}

async function readPem(path: string): Promise<string> {
  try {
    const pem = await readFile(path, 'utf8');
    if (pem.length <= PUBLIC_KEY_BYTES_MAX) return pem;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new AppError('invalid', `${path} cannot be read (${code})`);
  }
  throw new AppError('invalid', `${path} is over ${PUBLIC_KEY_BYTES_MAX} bytes`);
}

async function addKey(call: Call): Promise<Outcome> {
  const [platformId = '', keyId = '', path = ''] = call.args;
  const pem = await readPem(path);
  await (await service(call)).addPublicKey(platformId, keyId, pem);
  call.terminal.print(`added key ${keyId} to platform account ${platformId}`);
  return { data: { account_id: Number(platformId), key_id: keyId } };
}

async function listKeys(call: Call): Promise<Outcome> {
  const [platformId] = call.args;
  const accounts = await service(call);
  const chosen =
    platformId === undefined ? await accounts.list() : [await accounts.find(platformId)];
  const data = chosen.flatMap((account) => account.keys.map((key) => presentKey(account, key)));
  const rows = data.map(({ account_id, key_id, kind, created }) => {
    return [account_id, key_id, kind, created];
  });
  for (const line of formatTable(KEY_HEADINGS, rows)) call.terminal.print(line);
  return { data };
}

async function revokeKey(call: Call): Promise<Outcome> {
  const [platformId = '', keyId = ''] = call.args;
  await (await service(call)).revokeKey(platformId, keyId);
  call.terminal.print(`revoked key ${keyId} of platform account ${platformId}`);
  return { data: { account_id: Number(platformId), key_id: keyId } };
}

async function setAllowedType(call: Call): Promise<Outcome> {
  const [platformId = '', type] = call.args;
  if (type !== 'string' && type !== 'boolean') {
    throw new AppError('invalid', 'the type is string or boolean');
  }
  await (await service(call)).setAllowedType(platformId, type);
  call.terminal.print(`platform account ${platformId} gets allowed as ${type}`);
  return { data: { account_id: Number(platformId), allowed_type: type } };
}

async function setLogin(call: Call, field: 'name' | 'email'): Promise<Outcome> {
  const [platformId = '', text = ''] = call.args;
  const accounts = await service(call);
  await (field === 'name' ? accounts.setName : accounts.setEmail)(platformId, text);
  call.terminal.print(`platform account ${platformId} has the ${field} ${text}`);
  return { data: { account_id: Number(platformId), [field]: text } };
}

async function setPassword(call: Call): Promise<Outcome> {
  const [platformId = ''] = call.args;
  const password = await call.input.readSecret('new password');
  await (await service(call)).setPassword(platformId, password);
  call.terminal.print('ok');
  return { data: { account_id: Number(platformId) } };
}

/** With an address, nothing is turned on that would keep it out. */
async function enforce(call: Call): Promise<Outcome> {
  const [platformId = '', state, address] = call.args;
  if (state !== 'on' && state !== 'off') throw new AppError('invalid', 'the state is on or off');
  const { services } = await call.open();
  const { accounts } = services.platform;
  const { accountId } = await accounts.find(platformId);
  const isOn = state === 'on';
  if (isOn && address !== undefined && !(await services.authorizedIps.admits(accountId, address))) {
    throw new AppError(
      'conflict',
      `the account's lists would keep ${address} out; nothing is done`,
    );
  }
  await accounts.setGuarded(platformId, isOn);
  call.terminal.print(
    `the lists of platform account ${platformId} are ${isOn ? '' : 'not '}enforced`,
  );
  if (isOn && address === undefined) {
    call.terminal.say('calls by key from other addresses than those of the white list are refused');
  }
  return { data: { account_id: Number(platformId), enforce_authorized_ips: isOn } };
}

const PLATFORM = 'platform id: the number that Voximplant calls account_id.';

const commands: readonly Command[] = [
  {
    name: 'list_accounts',
    parameters: [],
    summary: "List the accounts that Voximplant's clients can sign in to",
    run: listAccounts,
  },
  {
    name: 'create_account',
    parameters: ['<account>'],
    summary: "Let Voximplant's clients sign in to an account; prints its number",
    details: ['account: its id, or the name of its database.', 'An account keeps its number.'],
    run: createAccount,
  },
  {
    name: 'create_api_key',
    parameters: ['<platform id>'],
    summary: 'Make an API key and print it, this once',
    details: [PLATFORM],
    run: createApiKey,
  },
  {
    name: 'create_key',
    parameters: ['<platform id>', '[file]'],
    summary: "Make a service account's key and write the credentials.json of Voximplant's SDKs",
    details: [PLATFORM, 'file: a new file that only you can read; without it they are printed.'],
    run: createKey,
  },
  {
    name: 'add_key',
    parameters: ['<platform id>', '<key id>', '<public key file>'],
    summary: "Take a service account's key whose private half is elsewhere",
    details: [PLATFORM, 'public key file: PEM, RSA of at least 2048 bits.'],
    run: addKey,
  },
  {
    name: 'list_keys',
    parameters: ['[platform id]'],
    summary: 'List the keys of an account, or of all',
    details: [PLATFORM],
    run: listKeys,
  },
  {
    name: 'revoke_key',
    parameters: ['<platform id>', '<key id>'],
    summary: 'End a key of either kind, and the sessions that were opened with it',
    details: [PLATFORM, 'key id: as list_keys shows it.'],
    run: revokeKey,
  },
  {
    name: 'set_allowed_type',
    parameters: ['<platform id>', '<string|boolean>'],
    summary: 'Say what GetAuthorizedAccountIPs answers as allowed',
    details: [PLATFORM, 'Texts are as on the page; the Go SDK reads booleans only.'],
    run: setAllowedType,
  },
  {
    name: 'set_name',
    parameters: ['<platform id>', '<name>'],
    summary: 'Say what account_name signs in to the account',
    details: [PLATFORM],
    run: (call) => setLogin(call, 'name'),
  },
  {
    name: 'set_email',
    parameters: ['<platform id>', '<email>'],
    summary: 'Say what account_email signs in to the account',
    details: [PLATFORM],
    run: (call) => setLogin(call, 'email'),
  },
  {
    name: 'set_password',
    parameters: ['<platform id>'],
    summary: 'Set the account_password; it is asked for, or read from a pipe',
    details: [PLATFORM],
    run: setPassword,
  },
  {
    name: 'enforce_authorized_ips',
    parameters: ['<platform id>', '<on|off>', '[address]'],
    summary: "Let an account's lists guard its own calls by key, or not",
    details: [
      PLATFORM,
      'address: nothing is turned on that would keep it out.',
      'An account without networks restricts nobody; a password gets in from everywhere.',
    ],
    run: enforce,
  },
];

/** The accounts of Voximplant's clients, and what they sign in with. */
export const platformMaintenance: Module = {
  name: 'platform_maintenance',
  summary: "Accounts and keys of Voximplant's clients",
  commands,
};
