import { databases } from '../../src/couch/databases.js';
import { basic, callAs, LIST, newCustomer } from '../support/json-api.js';
import { CUSTOMER, RESELLER, startTestService, type TestService } from '../support/service.js';
import { runSup, sharedStore } from './run-sup.js';

let service: TestService;

const sup = (args: readonly string[], stdin = '') =>
  runSup(['operator_maintenance', ...args], {
    env: sharedStore(service.dbPrefix, service.keyring),
    stdin,
  });
const stored = (name: string) => service.couch.database(databases.operators).find(name);
const statusOf = async (username: string, password: string) =>
  (await callAs(service, basic(username, password))('GET', LIST)).status;

/** The one line of stderr of a command that did nothing. */
async function fault(args: readonly string[], stdin = ''): Promise<string> {
  const { code, stdout, stderr } = await sup(args, stdin);
  expect([args, code, stdout]).toEqual([args, 2, '']);
  return stderr;
}

beforeAll(async () => {
  service = await startTestService();
});
afterAll(() => service.stop());

describe('sup operator_maintenance', () => {
  it('makes an operator with a password that it makes and shows, or that is piped', async () => {
    const made = await sup(['create', 'ops@example.com', RESELLER]);
    expect([made.code, made.stderr]).toEqual([0, '']);
    const [first, second] = made.stdout.split('\n');
    expect(first).toBe(`created operator ops@example.com of account ${RESELLER}`);
    const password = /^password: (\S{24})$/.exec(second ?? '')?.[1] ?? '';
    expect(await statusOf('ops@example.com', password)).toBe(200);
    const doc = await stored('ops@example.com');
    expect(doc).toMatchObject({
      pvt_type: 'operator',
      pvt_account_id: RESELLER,
      pvt_enabled: true,
    });
    expect(JSON.stringify(doc)).not.toContain(password);
    const piped = await sup(
      ['create', 'piped', RESELLER, '--password-stdin', '--json'],
      'from-a-pipe\n',
    );
    expect(JSON.parse(piped.stdout)).toEqual({
      username: 'piped',
      account_id: RESELLER,
      enabled: true,
    });
    expect(await statusOf('piped', 'from-a-pipe')).toBe(200);
  });

  it('lists operators, changes passwords, keeps out, lets in and deletes', async () => {
    const list = async () => {
      const { stdout } = await sup(['list']);
      return stdout
        .trim()
        .split('\n')
        .slice(1)
        .map((line) => line.split(/ {2,}/).slice(0, 3));
    };
    expect(await list()).toEqual([
      ['ops@example.com', RESELLER, 'yes'],
      ['piped', RESELLER, 'yes'],
      ['username', RESELLER, 'yes'],
    ]);
    expect((await sup(['disable', 'piped'])).stdout).toBe('ok\n');
    expect((await list())[1]).toEqual(['piped', RESELLER, 'no']);
    const set = await sup(['set_password', 'piped', '--password-stdin'], 'another-one\n');
    expect([set.code, set.stdout]).toEqual([0, 'ok\n']);
    expect((await sup(['enable', 'piped'])).stdout).toBe('ok\n');
    const made = await sup(['set_password', 'piped', '--json']);
    const { password } = JSON.parse(made.stdout);
    expect(await statusOf('piped', password)).toBe(200);
    expect(await statusOf('piped', 'another-one')).toBe(401);
    expect((await sup(['delete', 'piped'])).stdout).toBe('ok\n');
    expect(await stored('piped')).toBeUndefined();
  });

  it('says what is wrong', async () => {
    expect(await fault(['create', 'a:b', RESELLER])).toBe(
      'sup: username: must begin with a letter or digit and have no other than . _ @ + - beside\n',
    );
    expect(await fault(['create', 'short', RESELLER, '--password-stdin'], '1234567\n')).toBe(
      'sup: password: must have 8 to 256 characters\n',
    );
    expect(await fault(['create', 'username', RESELLER])).toBe(
      'sup: there is an operator called username\n',
    );
    expect(await fault(['create', 'new', 'f'.repeat(32)])).toBe('sup: no such account\n');
    expect(await fault(['create', 'new', 'nonsense'])).toBe('sup: nonsense is no account id\n');
    for (const name of ['enable', 'disable', 'delete', 'set_password']) {
      expect(await fault([name, 'nobody'])).toBe('sup: no operator is called nobody\n');
    }
    const usage = await sup(['create', 'alone']);
    expect(usage.code).toBe(1);
  });

  it('makes accounts customers, with or without a limit, and none any more', async () => {
    const id = await newCustomer(service, 'before');
    const set = await sup(['set_customer', id, 'acme-1', '2', '--json']);
    expect(JSON.parse(set.stdout)).toEqual({
      account_id: id,
      customer_id: 'acme-1',
      sip_account_limit: 2,
    });
    expect((await service.services.identifiers.find('customer_id', 'acme-1'))?.id).toBe(id);
    expect(await service.services.identifiers.find('customer_id', 'before')).toBeUndefined();
    const { stdout } = await sup(['list_customers', RESELLER]);
    expect(
      stdout
        .trim()
        .split('\n')
        .map((line) => line.split(/ {2,}/)),
    ).toEqual([
      ['Customer', 'Account', 'Name', 'SIP account limit'],
      ['1001', CUSTOMER, 'Demo Customer', '-'],
      ['1002', 'c0ffee00000000000000000000000004', 'Demo Branch', '100'],
      ['acme-1', id, 'Customer before', '2'],
    ]);
    const taken = await fault(['set_customer', id, '1001']);
    expect(taken).toMatch(/^sup: pvt_customer_id: Customer id already in use\n$/);
    expect(await fault(['set_customer', id, 'a,b'])).toMatch(/^sup: customer id: must be up to 64/);
    expect(await fault(['set_customer', id, 'x', '1.5'])).toMatch(/^sup: sip_account_limit: must/);
    expect((await sup(['set_customer', id, 'acme-1'])).code).toBe(0);
    expect((await service.services.accounts.get(id)).sipAccountLimit).toBeUndefined();
    expect((await sup(['unset_customer', id])).stdout).toBe(`account ${id} is no customer\n`);
    expect(await service.services.identifiers.find('customer_id', 'acme-1')).toBeUndefined();
  });
});
