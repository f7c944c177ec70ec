import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createAccount } from '../support/people.js';
import {
  ADD,
  bearer,
  bodyOf,
  CHECK,
  clear,
  type Fields,
  failure,
  GET,
  newKeyPair,
  ONE,
  REFUSED,
  rsaSign,
  tokenWith,
} from '../support/platform.js';
import { MASTER, RESELLER, startTestService, type TestService } from '../support/service.js';
import { soonEqual } from '../support/soon.js';
import { runSup, type SupOptions, sharedStore } from './run-sup.js';

const NOTHING = { result: false };
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z$/;

let service: TestService;
let folder: string;

beforeAll(async () => {
  service = await startTestService();
  folder = await mkdtemp(join(tmpdir(), 'telcouch-platform-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
  await service.stop();
});

const sup = (args: readonly string[], options: SupOptions = {}) =>
  runSup(['platform_maintenance', ...args], {
    env: sharedStore(service.dbPrefix, service.keyring),
    ...options,
  });
const json = async (...args: string[]) => JSON.parse((await sup(['--json', ...args])).stdout);
const check = (fields: Fields, headers = {}) =>
  bodyOf(service, CHECK, { authorized_ip: '198.51.100.7', ...fields }, headers);

/** The rows of a printed table, its headings first. */
const rowsOf = (stdout: string) => stdout.match(/.+/g)?.map((line) => line.trim().split(/ {2,}/));

interface Credentials {
  readonly account_email: string;
  readonly account_id: number;
  readonly key_id: string;
  readonly private_key: string;
}

/** What an SDK makes of its credentials.json. */
function tokenOf({ account_id: iss, key_id: kid, private_key }: Credentials): string {
  const iat = Math.floor(Date.now() / 1000);
  const payload = { iss, iat, exp: iat + 64 };
  return tokenWith({ alg: 'RS256', typ: 'JWT', kid }, payload, rsaSign(private_key));
}

describe('sup platform_maintenance', () => {
  it('lists the accounts that clients can sign in to', async () => {
    const { code, stdout } = await sup(['list_accounts']);
    expect(code).toBe(0);
    const [headings, first] = rowsOf(stdout) ?? [];
    expect(headings).toEqual([
      'Number',
      'Account',
      'Name',
      'Email',
      'Password',
      'Keys',
      'allowed is',
      'Guarded',
    ]);
    expect(first?.slice(0, 4)).toEqual([
      '1',
      RESELLER,
      'demo-reseller',
      'demo-reseller@demo.telcouch',
    ]);
    expect((await json('list_accounts'))[0]).toEqual({
      account_id: 1,
      account: RESELLER,
      name: 'demo-reseller',
      email: 'demo-reseller@demo.telcouch',
      has_password: false,
      keys: 1,
      allowed_type: 'string',
      enforce_authorized_ips: false,
    });
  });

  it('gives an account the next number, and the same one again', async () => {
    const id = await createAccount(service, MASTER, { name: 'By command' });
    const made = await sup(['create_account', id]);
    expect(made).toEqual({
      code: 0,
      stdout: `account ${id} is platform account 3\n`,
      stderr: '',
    });
    const database = `account/${id.slice(0, 2)}/${id.slice(2, 4)}/${id.slice(4)}`;
    expect(await json('create_account', database)).toMatchObject({ account_id: 3, account: id });
    expect(
      (await json('list_accounts')).map((each: { account_id: number }) => each.account_id),
    ).toEqual([1, 2, 3]);
  });

  it('gives accounts numbers of their own when many are made at once', async () => {
    const ids = await Promise.all(
      ['a', 'b', 'c'].map((name) => createAccount(service, MASTER, { name: `At once ${name}` })),
    );
    const made = await Promise.all(ids.map((id) => sup(['create_account', id])));
    expect(made.map(({ code }) => code)).toEqual([0, 0, 0]);
    const numbers = made.map(({ stdout }) => stdout.trim().split(' ').at(-1));
    expect(new Set([...numbers, '1', '2', '3']).size).toBe(6);
    // One that was beaten to a number may leave the next one out as well.
    for (const number of numbers) expect(Number(number)).toBeLessThan(20);
  });

  it('makes an API key, prints it once, and ends it', async () => {
    const { code, stdout, stderr } = await sup(['create_api_key', '1']);
    const apiKey = stdout.trim();
    expect([code, apiKey]).toEqual([0, expect.stringMatching(UUID)]);
    const keyId = /its key id is ([0-9a-f]{32})\n/.exec(stderr)?.[1] ?? '';
    const who = { account_id: '1', api_key: apiKey };
    await soonEqual(() => check(who), NOTHING);
    const listed = await sup(['list_keys', '1']);
    expect(listed.stdout).not.toContain(apiKey);
    expect(rowsOf(listed.stdout)?.map(([, ...rest]) => rest)).toContainEqual([
      keyId,
      'api_key',
      expect.stringMatching(ISO),
    ]);
    expect(await sup(['revoke_key', '1', keyId])).toEqual({
      code: 0,
      stdout: `revoked key ${keyId} of platform account 1\n`,
      stderr: '',
    });
    await soonEqual(() => check(who), REFUSED);
    expect(await sup(['revoke_key', '1', keyId])).toMatchObject({
      code: 2,
      stderr: `sup: platform account 1 has no key ${keyId}\n`,
    });
    const again = await json('create_api_key', '2');
    expect(again).toEqual({
      account_id: 2,
      key_id: expect.stringMatching(/^[0-9a-f]{32}$/),
      api_key: expect.stringMatching(UUID),
    });
  });

  it('writes a credentials.json for its owner alone, whose tokens are taken', async () => {
    const path = join(folder, 'credentials.json');
    const { code, stdout } = await sup(['create_key', '1', path]);
    expect([code, stdout]).toEqual([0, '']);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    const credentials: Credentials = JSON.parse(await readFile(path, 'utf8'));
    expect(credentials).toEqual({
      account_email: 'demo-reseller@demo.telcouch',
      account_id: 1,
      key_id: expect.stringMatching(UUID),
      private_key: expect.stringMatching(/^-----BEGIN PRIVATE KEY-----\n/),
    });
    await soonEqual(() => check({}, bearer(tokenOf(credentials))), NOTHING);
    const before = await readFile(path, 'utf8');
    expect(await sup(['create_key', '1', path])).toEqual({
      code: 2,
      stdout: '',
      stderr: `sup: ${path} is there already\n`,
    });
    expect(await readFile(path, 'utf8')).toBe(before);
  });

  it('prints credentials.json without a file, and no private key beside one', async () => {
    const printed = await sup(['create_key', '1']);
    const credentials: Credentials = JSON.parse(printed.stdout);
    expect(printed.stderr).toContain('shown once');
    const path = join(folder, 'second.json');
    const { stdout } = await sup(['--json', 'create_key', '1', path]);
    expect(stdout).not.toContain('PRIVATE KEY');
    const { key_id } = JSON.parse(await readFile(path, 'utf8'));
    expect(JSON.parse(stdout)).toEqual({
      account_email: 'demo-reseller@demo.telcouch',
      account_id: 1,
      key_id,
    });
    await soonEqual(() => check({}, bearer(tokenOf(credentials))), NOTHING);
  });

  it('leaves no empty credentials.json behind when there is no such account', async () => {
    const path = join(folder, 'of-nobody.json');
    expect(await sup(['create_key', '999', path])).toEqual({
      code: 2,
      stdout: '',
      stderr: 'sup: there is no platform account 999\n',
    });
    await expect(stat(path)).rejects.toThrow('ENOENT');
    const nowhere = join(folder, 'no', 'such', 'folder.json');
    expect(await sup(['create_key', '1', nowhere])).toEqual({
      code: 2,
      stdout: '',
      stderr: `sup: ${nowhere} cannot be written (ENOENT)\n`,
    });
  });

  it('takes a public key whose private half is elsewhere', async () => {
    const { publicKey, privateKey } = newKeyPair();
    const path = join(folder, 'public.pem');
    await writeFile(path, publicKey);
    expect(await sup(['add_key', '1', 'from-elsewhere', path])).toEqual({
      code: 0,
      stdout: 'added key from-elsewhere to platform account 1\n',
      stderr: '',
    });
    const own = {
      account_email: '',
      account_id: 1,
      key_id: 'from-elsewhere',
      private_key: privateKey,
    };
    await soonEqual(() => check({}, bearer(tokenOf(own))), NOTHING);
    expect(await sup(['add_key', '1', 'from-elsewhere', path])).toMatchObject({
      code: 2,
      stderr: 'sup: the account has a key from-elsewhere already\n',
    });
    expect(await sup(['revoke_key', '1', 'from-elsewhere'])).toMatchObject({ code: 0 });
    await soonEqual(() => check({}, bearer(tokenOf(own))), REFUSED);
  });

  it('sets what clients read as allowed', async () => {
    await clear(service, ONE);
    await bodyOf(service, ADD, { ...ONE, authorized_ip: '10.0.0.0/8' });
    const allowed = async () => (await bodyOf(service, GET, ONE)).result[0].allowed;
    for (const [type, value] of [
      ['boolean', true],
      ['string', 'true'],
    ] as const) {
      expect(await sup(['set_allowed_type', '1', type])).toEqual({
        code: 0,
        stdout: `platform account 1 gets allowed as ${type}\n`,
        stderr: '',
      });
      await soonEqual(allowed, value);
    }
  });

  it('sets name, email and password, which sign in', async () => {
    expect(await sup(['set_name', '3', 'By.Command'])).toMatchObject({ code: 0 });
    expect(await sup(['set_email', '3', 'by@command.example'])).toMatchObject({ code: 0 });
    const set = await sup(['set_password', '3'], { stdin: 'a long password\n' });
    expect(set).toEqual({ code: 0, stdout: 'ok\n', stderr: '' });
    const account_password = 'a long password';
    for (const who of [{ account_name: 'by.command' }, { account_email: 'BY@command.example' }]) {
      await soonEqual(() => check({ ...who, account_password }), NOTHING);
    }
    expect((await sup(['set_name', '3', 'demo-CUSTOMER'])).code).toBe(2);
    expect(await sup(['set_password', '3'], { stdin: 'short\n' })).toMatchObject({
      code: 2,
      stderr: 'sup: a password has 8 characters or more\n',
    });
    expect(await check({ account_name: 'by.command', account_password })).toEqual(NOTHING);
  });

  it('enforces the lists, unless that keeps the address out that is named', async () => {
    expect(await sup(['enforce_authorized_ips', '1', 'on', '127.0.0.1'])).toEqual({
      code: 2,
      stdout: '',
      stderr: "sup: the account's lists would keep 127.0.0.1 out; nothing is done\n",
    });
    expect(await check(ONE)).toEqual(NOTHING);
    const on = await sup(['enforce_authorized_ips', '1', 'on']);
    expect(on.code).toBe(0);
    expect(on.stdout).toBe('the lists of platform account 1 are enforced\n');
    await soonEqual(
      () => check(ONE),
      failure(100, 'Authorization failed', 'the account does not authorize your address'),
    );
    const off = await sup(['enforce_authorized_ips', '1', 'off']);
    expect(off.stdout).toBe('the lists of platform account 1 are not enforced\n');
    await soonEqual(() => check(ONE), NOTHING);
  });
});
