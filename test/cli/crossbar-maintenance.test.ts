import { randomBytes } from 'node:crypto';
import { generateKeyring } from '../../src/core/secret-box.js';
import { createCouch } from '../../src/couch/client.js';
import { databases } from '../../src/couch/databases.js';
import type { Couch } from '../../src/couch/types.js';
import { CUSTOMER, MASTER, startTestService, type TestService } from '../support/service.js';
import { destroyDatabases, storeUrl, uniquePrefix } from '../support/store.js';
import { runSup, type SupOptions, type SupResult, sharedStore } from './run-sup.js';

const HEX = '[0-9a-f]';
const CREATED = new RegExp(
  `^created new account '(${HEX}{32})' in db '(account%2F${HEX}{2}%2F${HEX}{2}%2F${HEX}{28})'\n` +
    `created new account admin user '(${HEX}{32})'\n`,
);

function accountOf({ stdout }: SupResult): { id: string; database: string; user: string } {
  const [, id = '', encoded = '', user = ''] = CREATED.exec(stdout) ?? [];
  return { id, database: decodeURIComponent(encoded), user };
}

describe('sup crossbar_maintenance on an empty store', () => {
  const dbPrefix = uniquePrefix();
  const keyring = generateKeyring();
  let couch: Couch;
  const sup = (args: readonly string[], options: SupOptions = {}) =>
    runSup(['crossbar_maintenance', ...args], { env: sharedStore(dbPrefix, keyring), ...options });

  beforeAll(() => {
    couch = createCouch({ url: storeUrl(), dbPrefix, timeoutMs: 10_000 });
  });
  afterAll(async () => {
    await couch.close();
    await destroyDatabases(dbPrefix);
  });

  it('makes the first account master, and the next ones its children', async () => {
    const first = await sup(['create_account', 'First', 'first.example.com', 'Admin', 'secret-1']);
    const { id, database, user } = accountOf(first);
    expect(first.code).toBe(0);
    expect(first.stdout).toMatch(/\nupdated master account id in system_config.accounts\n$/);
    expect(await couch.database(database as never).get(id)).toMatchObject({
      name: 'First',
      realm: 'first.example.com',
      pvt_type: 'account',
      pvt_tree: [],
      pvt_superduper_admin: true,
      pvt_reseller: true,
      pvt_wnm_allow_additions: true,
    });
    expect(await couch.database(database as never).get(user)).toMatchObject({
      first_name: 'Account',
      last_name: 'Admin',
      priv_level: 'admin',
      username: 'admin',
      pvt_type: 'user',
    });
    const config = await couch.database('system_config' as never).get('accounts');
    expect(config['default']).toEqual({ master_account_id: id });

    const second = await sup(['create_account', 'Second', 'second.example.com', 'admin', '-'], {
      stdin: 'secret-2\n',
    });
    expect(second.code).toBe(0);
    expect(second.stdout).toBe(CREATED.exec(second.stdout)?.[0]);
    const child = accountOf(second);
    const stored = await couch.database(child.database as never).get(child.id);
    expect(stored['pvt_tree']).toEqual([id]);
    expect(stored['pvt_superduper_admin']).toBeUndefined();
  });

  it('writes no password anywhere', async () => {
    const names = await couch.listDatabases('');
    const docs = await Promise.all(
      names.map((name) => couch.database(name).listDocs({ limit: 1000 })),
    );
    expect(docs.flat().length).toBeGreaterThan(5);
    expect(JSON.stringify(docs)).not.toMatch(/secret-[12]/);
  });
});

describe('two first accounts made at once', () => {
  const dbPrefix = uniquePrefix();
  const env = sharedStore(dbPrefix, generateKeyring());

  afterAll(() => destroyDatabases(dbPrefix));

  it('make one master account, and the other has none of its rights', async () => {
    const create = (name: string) =>
      runSup(['crossbar_maintenance', 'create_account', name, `${name}.example`, 'admin', 'p'], {
        env,
      });
    const results = await Promise.all([create('one'), create('two')]);
    expect(results.map(({ code }) => code)).toEqual([0, 0]);
    const couch = createCouch({ url: storeUrl(), dbPrefix, timeoutMs: 10_000 });
    const config = await couch.database(databases.systemConfig).get('accounts');
    const stored = await Promise.all(
      results.map(accountOf).map(({ id, database }) => couch.database(database as never).get(id)),
    );
    await couch.close();
    const masters = stored.filter((account) => account['pvt_superduper_admin'] === true);
    expect(config['default']).toEqual({ master_account_id: masters[0]?._id });
    expect(masters).toHaveLength(1);
    expect(stored.filter((account) => account['pvt_reseller'] === true)).toEqual(masters);
  });
});

describe('sup crossbar_maintenance', () => {
  let service: TestService;
  const sup = (args: readonly string[], options: SupOptions = {}) =>
    runSup(['crossbar_maintenance', ...args], {
      env: sharedStore(service.dbPrefix, service.keyring, { DEMO_DATA: 'true' }),
      ...options,
    });
  const signIn = async (password: string) => {
    const { createHash } = await import('node:crypto');
    const credentials = createHash('md5').update(`admin:${password}`).digest('hex');
    const body = { data: { credentials, method: 'md5', account_name: 'Demo Master' } };
    return (await service.call('PUT', '/v2/user_auth', { body })).status;
  };

  beforeAll(async () => {
    service = await startTestService();
  });
  afterAll(() => service.stop());

  it('lists every fault of a new account and its user at once, and creates nothing', async () => {
    const before = await service.couch.listDatabases('');
    expect(await sup(['create_account', '', 'x y', 'no spaces', ''])).toEqual({
      code: 2,
      stdout: `failed to create '': ${JSON.stringify({
        name: { minLength: { message: 'String must be at least 1 characters' } },
        realm: { minLength: { message: 'String must be at least 4 characters' } },
        username: { pattern: { message: "Failed to match pattern '^([+@.\\w_-]+)$'" } },
        password: { minLength: { message: 'String must be at least 1 characters' } },
      })}\n`,
      stderr: '',
    });
    expect(await service.couch.listDatabases('')).toEqual(before);
  });

  it('refuses a name that is taken, and leaves no database behind', async () => {
    const before = await service.couch.listDatabases('');
    expect(await sup(['create_account', 'Demo-Customer', 'x.example.com', 'u', 'p'])).toEqual({
      code: 2,
      stdout:
        `failed to create 'Demo-Customer': ` +
        '{"name":{"unique":{"message":"Account name already in use"}}}\n',
      stderr: '',
    });
    expect(await service.couch.listDatabases('')).toEqual(before);
  });

  it('disables an account, whose token then is refused, and enables it again', async () => {
    const token = await service.tokenOf(3);
    const path = `/v2/accounts/${CUSTOMER}`;
    expect((await service.call('GET', path, { token })).status).toBe(200);
    expect(await sup(['disable_account', CUSTOMER])).toEqual({
      code: 0,
      stdout: 'ok\n',
      stderr: '',
    });
    await new Promise((resolve) => setTimeout(resolve, 1100));
    expect((await service.call('GET', path, { token })).status).toBe(401);
    expect((await sup(['enable_account', CUSTOMER])).stdout).toBe('ok\n');
    expect((await service.services.accounts.get(CUSTOMER)).isEnabled).toBe(true);
  });

  it('promotes and demotes an account', async () => {
    expect((await sup(['promote_account', CUSTOMER])).stdout).toBe('ok\n');
    expect((await service.services.accounts.get(CUSTOMER)).isSuperduper).toBe(true);
    expect((await sup(['demote_account', CUSTOMER])).stdout).toBe('ok\n');
    expect((await service.services.accounts.get(CUSTOMER)).isSuperduper).toBe(false);
  });

  it.each([
    ['ffffffffffffffffffffffffffffffff', 'no such account'],
    ['../../accounts', '../../accounts is no account id'],
  ])('fails on account %s', async (account, why) => {
    expect(await sup(['enable_account', account])).toEqual({
      code: 2,
      stdout: 'failed\n',
      stderr: `sup: ${why}\n`,
    });
  });

  it('makes a new password, prints it once, and it is the one that signs in', async () => {
    expect(await signIn('demo-password')).toBe(201);
    const result = await sup(['reset_password', MASTER, 'ADMIN']);
    expect(result).toMatchObject({ code: 0, stderr: '' });
    const [, password = ''] = /^new password: ([\w-]{24})\n$/.exec(result.stdout) ?? [];
    expect(await signIn(password)).toBe(201);
    expect(await signIn('demo-password')).toBe(401);
  });

  it('reads a new password from a pipe or from an option', async () => {
    const piped = await sup(['reset_password', MASTER, 'admin', '--password-stdin'], {
      stdin: 'from a pipe\n',
    });
    expect(piped).toEqual({ code: 0, stdout: 'ok\n', stderr: '' });
    expect(await signIn('from a pipe')).toBe(201);
    const given = await sup(['reset_password', MASTER, 'admin', '--password', 'from an option']);
    expect(given.stdout).toBe('ok\n');
    expect(await signIn('from an option')).toBe(201);
  });

  it.each([
    ['nobody', ['--password', 'x'], 'sup: no such user\n'],
    ['admin', ['--password-stdin'], 'sup: new password: is empty\n'],
    ['admin', ['--password', ''], 'sup: the password is empty\n'],
  ])('does not reset the password of %s with %j', async (user, options, stderr) => {
    expect(await sup(['reset_password', MASTER, user, ...options])).toEqual({
      code: 2,
      stdout: 'failed\n',
      stderr,
    });
  });

  it('purges an account only when it is deleted, and only when told so', async () => {
    const created = await sup(['create_account', 'Short Lived', 'short.example.com', 'u', 'p']);
    const { id, database } = accountOf(created);
    expect(await sup(['purge_account', id])).toEqual({
      code: 1,
      stdout: '',
      stderr: 'sup: purge_account needs --yes where nobody can be asked\n',
    });
    expect(await sup(['purge_account', id, '--yes'])).toEqual({
      code: 2,
      stdout: 'failed\n',
      stderr: 'sup: the account is not deleted; delete it first\n',
    });
    await service.services.accounts.remove(id);
    expect(await sup(['purge_account', id, '--yes'])).toEqual({
      code: 0,
      stdout: `purged account ${id} and 1 databases\n`,
      stderr: '',
    });
    expect(await service.couch.databaseExists(database as never)).toBe(false);
    expect(await service.couch.database('accounts' as never).find(id)).toBeUndefined();
    expect(await sup(['purge_account', id, '--yes'])).toEqual({
      code: 2,
      stdout: 'failed\n',
      stderr: 'sup: no such account\n',
    });
  });

  it('converts the clear API keys that Kazoo stored, once', async () => {
    const apiKey = randomBytes(32).toString('hex');
    await service.services.accounts.setPrivate(CUSTOMER, () => ({ pvt_api_key: apiKey }));
    const line = (count: number) => `converted ${count} API keys of 4 accounts\n`;
    expect(await sup(['convert_api_keys'])).toEqual({ code: 0, stdout: line(1), stderr: '' });
    const { stored } = await service.services.accounts.get(CUSTOMER);
    expect(JSON.stringify(stored)).not.toContain(apiKey);
    const answer = await service.call('PUT', '/v2/api_auth', {
      body: { data: { api_key: apiKey } },
    });
    expect(answer.status).toBe(201);
    expect(await sup(['convert_api_keys'])).toEqual({ code: 0, stdout: line(0), stderr: '' });
  });

  it('refuses an option that the function does not take', async () => {
    expect(await sup(['enable_account', CUSTOMER, '--yes'])).toEqual({
      code: 1,
      stdout: '',
      stderr: 'sup: enable_account does not take --yes\n',
    });
  });
});
