import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Agent, request } from 'undici';
import { parseIp } from '../../src/core/ip-address.js';
import { isPublicAddress } from '../../src/core/public-address.js';
import {
  operationUrl,
  PrivateAddressError,
  publicLookup,
} from '../../src/resources/clusters/clusters.address.js';

describe('the lookup of names for connections', () => {
  it('refuses a name that leads to this machine before anything is connected', async () => {
    let connections = 0;
    const server = createServer();
    server.on('connection', () => {
      connections += 1;
    });
    await new Promise<void>((resolve) => server.listen(0, resolve));
    const { port } = server.address() as AddressInfo;
    const agent = new Agent({ connect: { lookup: publicLookup } });
    const failure = await request(`http://localhost:${port}/`, { dispatcher: agent }).catch(
      (error: unknown) => error,
    );
    expect(failure).toBeInstanceOf(PrivateAddressError);
    expect(connections).toBe(0);
    await agent.close();
    await new Promise((resolve) => server.close(resolve));
  });

  it.each([true, false])('says so whether all addresses are wanted or one: %p', async (all) => {
    const error = await new Promise((resolve) => {
      publicLookup('localhost', { all }, (fault) => resolve(fault));
    });
    expect(error).toBeInstanceOf(PrivateAddressError);
  });
});

describe('public addresses', () => {
  const judge = (text: string) => {
    const ip = parseIp(text);
    return ip !== undefined && isPublicAddress(ip);
  };

  it.each(['8.8.8.8', '1.1.1.1', '172.32.0.1', '2606:4700::1111', '2a00:1450::1'])(
    '%s is one',
    (text) => expect(judge(text)).toBe(true),
  );

  it.each([
    '0.0.0.0',
    '10.0.0.1',
    '100.64.0.1',
    '127.0.0.1',
    '169.254.169.254',
    '172.31.255.255',
    '192.168.0.1',
    '198.18.0.1',
    '203.0.113.1',
    '224.0.0.1',
    '255.255.255.255',
    '168.63.129.16',
    '::',
    '::1',
    '::127.0.0.1',
    '::a9fe:a9fe',
    '4000::1',
    'fec0::1',
    '64:ff9b:1::a00:1',
    '::ffff:10.0.0.1',
    '64:ff9b::1',
    '2001:db8::1',
    '2002:7f00:1::',
    'fc00::1',
    'fe80::1',
    'ff02::1',
  ])('%s is none', (text) => expect(judge(text)).toBe(false));
});

test('operations stand below the address of a cluster, however that ends', () => {
  for (const base of ['http://a:1', 'http://a:1/', 'http://a:1//']) {
    expect(operationUrl(base, 'token_auth')).toBe('http://a:1/v2/token_auth');
  }
  expect(operationUrl('https://a/kazoo/', 'api_auth')).toBe('https://a/kazoo/v2/api_auth');
});
