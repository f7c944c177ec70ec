import { setTimeout as sleep } from 'node:timers/promises';
import { accountDatabase } from '../../src/couch/databases.js';
import { noSuch } from '../support/envelope.js';
import { createIpMaker, details } from '../support/ip-pool.js';
import { type MisbehavingServer, startMisbehavingServer } from '../support/misbehaving-server.js';
import { MASTER, startTestService, type TestService } from '../support/service.js';
import { storeUrl } from '../support/store.js';

describe('IPs of an account that is deleted', () => {
  let service: TestService;
  let proxy: MisbehavingServer;
  /** Another process on the same databases; what it asks the store may be slow. */
  let other: TestService;
  let token: string;
  let makeIp: (zone?: string) => Promise<string>;

  beforeAll(async () => {
    service = await startTestService();
    proxy = await startMisbehavingServer(storeUrl());
    const { dbPrefix, keyring } = service;
    other = await startTestService({ dbPrefix, keyring, isSecond: true, couchUrl: proxy.url });
    token = await service.tokenOf(1);
    makeIp = createIpMaker(service, token);
  });
  afterAll(async () => {
    await other.stop();
    await service.stop();
    await proxy.close();
  });

  async function createAccount(name: string): Promise<string> {
    const body = { data: { name } };
    const created = await service.call('PUT', `/v2/accounts/${MASTER}`, { token, body });
    expect(created.status).toBe(201);
    return created.body.data.id;
  }

  const find = (ip: string) => service.call('GET', `/v2/ips/${ip}`, { token });

  it('go back into the pool, their copies with them', async () => {
    const id = await createAccount('holder of two');
    const held = [await makeIp(), await makeIp()];
    const body = { data: { ips: held } };
    const assigned = await service.call('POST', `/v2/accounts/${id}/ips`, { token, body });
    expect(Object.keys(assigned.body.data.success).sort()).toEqual([...held].sort());
    expect((await service.call('DELETE', `/v2/accounts/${id}`, { token })).status).toBe(200);
    for (const ip of held) expect((await find(ip)).body.data).toEqual(details(ip, 'test-zone'));
    const copies = await service.couch.database(accountDatabase(id)).findMany(held);
    expect([...copies.keys()]).toEqual([]);
    const answer = await service.call('POST', `/v2/accounts/${id}/ips`, { token, body });
    expect(answer.status).toBe(404);
    expect(answer.body).toEqual(noSuch(id, 'token'));
  });

  it('are not held by it when the assignment was under way in another process', async () => {
    const id = await createAccount('holder of none');
    const ip = await makeIp();
    const path = `/v2/accounts/${id}/ips/${ip}`;
    expect((await other.call('GET', path, { token })).status).toBe(200);
    // The look at the address is slow, so that the account is gone before the address is written.
    proxy.fail([{ kind: 'lag', ms: 800 }], 'POST');
    const assignment = other.call('POST', path, { token });
    await sleep(300);
    expect((await service.call('DELETE', `/v2/accounts/${id}`, { token })).status).toBe(200);
    const answer = await assignment;
    expect(answer.status).toBe(404);
    expect(answer.body).toEqual(noSuch(id));
    expect((await find(ip)).body.data).toEqual(details(ip, 'test-zone'));
    const nothing = { copiesWritten: 0, copiesRemoved: 0, released: 0, unreadable: [] };
    expect(await service.services.refresh.ips()).toEqual(nothing);
  });
});
