import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { databases } from '../../src/couch/databases.js';
import { newCustomer } from '../support/json-api.js';
import { startTestService, type TestService } from '../support/service.js';
import { runSup, sharedStore } from './run-sup.js';

const UUID = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/;

let service: TestService;
let accountId: string;
let folder: string;

const sup = (args: readonly string[], stdin = '') =>
  runSup(['sip_accounts_maintenance', ...args], {
    env: sharedStore(service.dbPrefix, service.keyring),
    stdin,
  });
const stored = (uuid: string) =>
  service.couch.database(databases.sipAuth).find(uuid.replaceAll('-', ''));

async function fault(args: readonly string[], stdin = ''): Promise<string> {
  const { code, stdout, stderr } = await sup(args, stdin);
  expect([args, code, stdout]).toEqual([args, 2, '']);
  return stderr;
}

async function passwordOf(uuid: string): Promise<string | null> {
  const { service: sipAccounts } = service.services.sipAccounts;
  return sipAccounts.passwordOf(await sipAccounts.get(uuid.replaceAll('-', '')));
}

beforeAll(async () => {
  service = await startTestService();
  accountId = await newCustomer(service, 'cli', { limit: 6 });
  folder = await mkdtemp(join(tmpdir(), 'telcouch-sip-'));
});
afterAll(async () => {
  await service?.stop();
  await rm(folder, { recursive: true, force: true });
});

describe('sup sip_accounts_maintenance', () => {
  it('makes a SIP account, lists it, gives it another password and deletes it', async () => {
    const made = await sup(['create', accountId, 'desk', 'Desk One', '101', '+37052000001']);
    expect([made.code, made.stderr]).toEqual([0, '']);
    const id = UUID.exec(made.stdout)?.[0] ?? '';
    expect(made.stdout.split('\n')[0]).toBe(`created SIP account ${id}: desk@cli.example.com`);
    const password = /^password: (\S{20})$/m.exec(made.stdout)?.[1];
    expect(await passwordOf(id)).toBe(password);
    const listed = await sup(['list', accountId]);
    expect(
      listed.stdout
        .trim()
        .split('\n')
        .map((line) => line.split(/ {2,}/)),
    ).toEqual([
      ['SIP account', 'Account', 'User', 'Caller id name', 'Allowed IPs'],
      [id, accountId, 'desk@cli.example.com', 'Desk One', '-'],
    ]);
    const json = JSON.parse((await sup(['list', accountId, '--json'])).stdout);
    expect(json).toEqual([
      {
        id,
        account_id: accountId,
        username: 'desk',
        realm: 'cli.example.com',
        caller_id_name: 'Desk One',
        internal_caller_id: 101,
        external_caller_id: 37_052_000_001,
        use_allowed_ips: false,
        allowed_ips: null,
      },
    ]);
    expect((await sup(['set_password', id, '--password-stdin'], 'from-a-pipe\n')).stdout).toBe(
      'ok\n',
    );
    expect(await passwordOf(id)).toBe('from-a-pipe');
    const hex = id.replaceAll('-', '');
    expect((await sup(['set_password', hex])).stdout).toMatch(/^new password: \S{20}\n$/);
    expect((await sup(['delete', id])).stdout).toBe(`deleted SIP account ${id}\n`);
    expect(await stored(id)).toBeUndefined();
    expect(await fault(['delete', id])).toBe('sup: no such SIP account\n');
  });

  it('lists all there are', async () => {
    const { stdout } = await sup(['list', '--json']);
    expect(JSON.parse(stdout)).toHaveLength(131);
    expect(stdout).not.toContain('08hxobdp5z');
  });

  it('says what is wrong', async () => {
    expect(await fault(['create', 'nonsense', 'desk'])).toBe('sup: nonsense is no account id\n');
    expect(await fault(['create', 'f'.repeat(32), 'desk'])).toBe('sup: no such account\n');
    expect(await fault(['create', accountId, 'a b', 'x', 'y'])).toBe(
      'sup: internal_caller_id: must be a number of at most 15 digits\n' +
        'sup: username: must have 2 to 32 letters, digits, dots, hyphens or underscores\n',
    );
    expect(await fault(['create', accountId, '-', '--password-stdin'], 'no\n')).toBe(
      'sup: username: must have 2 to 32 letters, digits, dots, hyphens or underscores\n' +
        'sup: password: must have 5 to 32 printable characters without blanks\n',
    );
    expect(await fault(['set_password', 'x'])).toBe('sup: x is no id of a SIP account\n');
    expect((await sup(['create', accountId])).code).toBe(1);
  });

  it('imports a file, names what is wrong by line, and goes on', async () => {
    const file = join(folder, 'sip.csv');
    const lines = [
      'username,account,password,caller_id_name,allowed_ips,use_allowed_ips,internal_caller_id',
      `one,${accountId},secret-12,"One, the first","10.0.0.0/8,192.0.2.1",true,11`,
      `two,${accountId},,Two,,,`,
      '',
      `one,${accountId},secret-12,,,,`,
      `three,${accountId},secret-12,,nowhere,maybe,x`,
      'four,nobody,secret-12,,,,',
      `five,${accountId},"secret-12,,,,`,
      `six,${accountId},secret-12,,,,,,`,
      `seven,${accountId},secret-12`,
    ];
    await writeFile(file, `\ufeff${lines.join('\r\n')}\r\n`);
    const { code, stdout, stderr } = await sup(['import', file]);
    expect([code, stderr]).toEqual([2, '']);
    const told = stdout.trim().split('\n').sort();
    expect(told.map((line) => line.replace(UUID, 'ID').replace(/\S{20}$/, 'PASSWORD'))).toEqual([
      '5 failed',
      'created 3 SIP accounts',
      'line 3: ID two@cli.example.com password: PASSWORD',
      'line 5: username: SIP user name already in use in cli.example.com',
      'line 6: internal_caller_id: must be a number of at most 15 digits; ' +
        'use_allowed_ips: must be true or false; ' +
        'allowed_ips: must be at most 200 IP addresses or networks, separated by commas',
      'line 7: account: no such account',
      expect.stringMatching(/^line 8: /),
      'line 9: 9 columns in place of 7',
    ]);
    const listed = JSON.parse((await sup(['list', accountId, '--json'])).stdout);
    const one = listed.find((each: { username: string }) => each.username === 'one');
    expect(one).toMatchObject({
      caller_id_name: 'One, the first',
      internal_caller_id: 11,
      use_allowed_ips: true,
      allowed_ips: '10.0.0.0/8,192.0.2.1/32',
    });
    expect(await passwordOf(one.id)).toBe('secret-12');
  });

  it('imports no more than the account may have, from a pipe and as JSON', async () => {
    const rows = Array.from({ length: 5 }, (_, n) => `${accountId},more-${n},secret-12`);
    const csv = `account,username,password\n${rows.join('\n')}\n`;
    const { code, stdout } = await sup(['import', '-', '--json'], csv);
    const { created, failed, failures } = JSON.parse(stdout);
    expect([code, created, failed]).toEqual([2, 3, 2]);
    const reason = 'the account may have 6 SIP accounts and has them';
    expect(failures).toEqual([
      { line: expect.any(Number), reason },
      { line: expect.any(Number), reason },
    ]);
    const refused = await fault(['create', accountId, 'one-more']);
    expect(refused).toBe(`sup: ${reason}\n`);
  });

  it('reads no file that is none of its kind', async () => {
    expect(await fault(['import', join(folder, 'nothing.csv')])).toMatch(/cannot be read: ENOENT/);
    expect(await fault(['import', '-'], 'username,password\na,b\n')).toBe(
      'sup: the header has no column account\n',
    );
    expect(await fault(['import', '-'], 'username,account,pasword\na,b,c\n')).toBe(
      'sup: the header has columns that mean nothing: pasword\n',
    );
    const { code, stdout } = await sup(['import', '-'], 'username,account\n');
    expect([code, stdout]).toEqual([0, 'created 0 SIP accounts\n']);
  });
});
