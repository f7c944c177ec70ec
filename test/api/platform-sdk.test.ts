import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { createServer, type Server } from 'node:tls';
import { addServiceKey, clear, failure, ONE, REFUSED } from '../support/platform.js';
import { startTestService, type TestService } from '../support/service.js';

const CERTIFICATE = 'test/support/loopback-certificate.pem';
const KEY = 'test/support/loopback-key.pem';
const SDK = 'test/support/voximplant-sdk.cjs';
const GROUP = 'AuthorizedIPs';

let service: TestService;
let tls: Server;
let host: string;
let folder: string;
/** Everything that clients sent, as the service saw it. */
let sent = '';

/** Ends TLS before the service: the SDK knows no other scheme. */
async function startTls(url: string): Promise<Server> {
  const options = { cert: readFileSync(CERTIFICATE), key: readFileSync(KEY) };
  const server = createServer(options, (client) => {
    const upstream = connect(Number(new URL(url).port), '127.0.0.1');
    client.on('data', (chunk) => {
      sent += String(chunk);
    });
    client.on('error', () => upstream.destroy());
    upstream.on('error', () => client.destroy());
    client.pipe(upstream).pipe(client);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

interface Sdk {
  call(method: string, request?: object, group?: string): Promise<unknown>;
  end(): Promise<void>;
}

/** The SDK with these credentials, in a process that trusts the certificate. */
async function startSdk(credentials: object, name: string): Promise<Sdk> {
  const path = join(folder, `${name}.json`);
  await writeFile(path, JSON.stringify(credentials));
  const child: ChildProcess = spawn(process.execPath, [SDK, path, host], {
    env: { PATH: process.env['PATH'], NODE_EXTRA_CA_CERTS: CERTIFICATE },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const { stdin, stdout } = child;
  if (stdin === null || stdout === null) throw new Error('the child has no pipes');
  const lines = createInterface({ input: stdout })[Symbol.asyncIterator]();
  return {
    async call(method, request = {}, group = GROUP) {
      stdin.write(`${JSON.stringify([group, method, request])}\n`);
      const { value } = await lines.next();
      return JSON.parse(String(value));
    },
    async end() {
      const ended = once(child, 'exit');
      stdin.end();
      await ended;
    },
  };
}

beforeAll(async () => {
  service = await startTestService();
  tls = await startTls(service.url);
  host = `127.0.0.1:${(tls.address() as AddressInfo).port}`;
  folder = await mkdtemp(join(tmpdir(), 'telcouch-sdk-'));
});
afterAll(async () => {
  await new Promise((resolve) => tls.close(resolve));
  await rm(folder, { recursive: true, force: true });
  await service.stop();
});

describe('the Node SDK, unmodified', () => {
  let sdk: Sdk;

  beforeAll(async () => {
    sdk = await startSdk(await addServiceKey(service, '1'), 'good');
  });
  afterAll(() => sdk.end());
  beforeEach(async () => {
    await clear(service, ONE);
    sent = '';
  });

  it('adds, tests, lists and removes', async () => {
    const network = { authorizedIp: '92.255.220.0/24' };
    expect(await sdk.call('addAuthorizedAccountIP', network)).toEqual({ result: 1 });
    expect(
      await sdk.call('addAuthorizedAccountIP', {
        authorizedIp: '92.255.220.10',
        allowed: false,
        description: 'a guest',
      }),
    ).toEqual({ result: 1 });
    expect(await sdk.call('checkAuthorizedAccountIP', { authorizedIp: '92.255.220.7' })).toEqual({
      result: true,
      authorizedIp: '92.255.220.0/24',
    });
    expect(await sdk.call('checkAuthorizedAccountIP', { authorizedIp: '92.255.220.10' })).toEqual({
      result: false,
      authorizedIp: '92.255.220.10',
    });
    expect(await sdk.call('checkAuthorizedAccountIP', { authorizedIp: '1.1.1.1' })).toEqual({
      result: false,
    });
    const created = expect.stringMatching(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/);
    const white = { allowed: 'true', created, authorizedIp: '92.255.220.0/24' };
    const black = { allowed: 'false', created, authorizedIp: '92.255.220.10' };
    const list = (request: object) => sdk.call('getAuthorizedAccountIPs', request);
    expect(await list({})).toEqual({ result: [white, black], count: 2, totalCount: 2 });
    expect(await list({ allowed: false, count: 10, offset: 0 })).toEqual({
      result: [black],
      count: 1,
      totalCount: 1,
    });
    expect(await list({ containsIp: '92.255.220.1' })).toEqual({
      result: [white],
      count: 1,
      totalCount: 1,
    });
    expect(await list({ count: 1, offset: 1 })).toEqual({
      result: [black],
      count: 1,
      totalCount: 2,
    });
    const remove = (request: object) => sdk.call('delAuthorizedAccountIP', request);
    expect(await remove({ containsIp: '92.255.220.10', allowed: false })).toEqual({ result: 1 });
    expect(await remove({ authorizedIp: '92.255.220.0/24' })).toEqual({ result: 1 });
    expect(await remove({ authorizedIp: 'all' })).toEqual({ result: 0 });
    expect(await list({})).toEqual({ result: [], count: 0, totalCount: 0 });
  });

  it('sends what the other suites take for its requests', async () => {
    await sdk.call('addAuthorizedAccountIP', { authorizedIp: '10.0.0.0/8', allowed: false });
    expect(sent).toMatch(/^POST \/platform_api HTTP\/1\.1\r\n/);
    expect(sent).toMatch(/Content-Type: multipart\/form-data; boundary=-+\d+\r\n/i);
    expect(sent).toMatch(/Transfer-Encoding: chunked\r\n/i);
    expect(sent).toMatch(/Authorization: Bearer eyJ/);
    const body = sent.replace(/\r\n[0-9a-f]+\r\n/g, '');
    const names = [...body.matchAll(/name="(\w+)"\r\n\r\n(.*)\r\n/g)].map(([, name, value]) => [
      name,
      value,
    ]);
    expect(names).toEqual([
      ['cmd', 'AddAuthorizedAccountIP'],
      ['authorized_ip', '10.0.0.0/8'],
      ['allowed', 'false'],
    ]);
  });

  it('gets errors as it reads them', async () => {
    expect(await sdk.call('addAuthorizedAccountIP', { authorizedIp: '300.1.1.1' })).toEqual(
      failure(
        320,
        "The 'authorized_ip' parameter is invalid",
        'must be an IPv4 or IPv6 address, or a network as address/length',
      ),
    );
    expect(await sdk.call('delAuthorizedAccountIP', {})).toEqual(
      failure(101, 'Invalid arguments', 'give one of authorized_ip and contains_ip'),
    );
    expect(await sdk.call('getAuthorizedAccountIPs', { count: 1001 })).toEqual(
      failure(496, "The 'count' parameter is invalid.", 'must be a whole number from 0 to 1000'),
    );
    expect(await sdk.call('getAccountInfo', {}, 'Accounts')).toEqual(
      failure(103, 'Unknown command', 'there is no such command'),
    );
  });

  it('is refused with credentials that are not, or not any more, the account’s', async () => {
    const own = await addServiceKey(service, '1');
    const other = await addServiceKey(service, '2');
    const wrongs = {
      'another account': { ...own, account_id: 2 },
      'another key': { ...own, private_key: other.private_key },
      'another kid': { ...own, key_id: 'unknown' },
    };
    for (const [name, credentials] of Object.entries(wrongs)) {
      const wrong = await startSdk(credentials, name.replace(' ', '-'));
      expect([name, await wrong.call('getAuthorizedAccountIPs')]).toEqual([name, REFUSED]);
      await wrong.end();
    }
    const revoked = await startSdk(own, 'own');
    expect(await revoked.call('getAuthorizedAccountIPs')).toMatchObject({ totalCount: 0 });
    await service.services.platform.accounts.revokeKey('1', own.key_id);
    expect(await revoked.call('getAuthorizedAccountIPs')).toEqual(REFUSED);
    await revoked.end();
  });
});
