import { accountDatabase } from '../../src/couch/databases.js';
import { failure, forbidden, invalid, noSuch, success } from '../support/envelope.js';
import { createIpMaker, details, HOST } from '../support/ip-pool.js';
import { REVISION } from '../support/revisions.js';
import {
  CUSTOMER,
  MASTER,
  RESELLER,
  startTestService,
  type TestService,
} from '../support/service.js';

const GREGORIAN_2020 = 63745056000;

describe('the pool of IPs as a whole', () => {
  let service: TestService;
  let token: string;
  let makeIp: (zone?: string) => Promise<string>;

  beforeAll(async () => {
    service = await startTestService();
    token = await service.tokenOf(1);
    makeIp = createIpMaker(service, token);
  });
  afterAll(() => service.stop());

  const create = (data: unknown) => service.call('PUT', '/v2/ips', { token, body: { data } });
  const assign = (accountId: string, ip: string) =>
    service.call('POST', `/v2/accounts/${accountId}/ips/${ip}`, { token });
  const hasCopy = async (accountId: string, ip: string) =>
    (await service.couch.database(accountDatabase(accountId)).find(ip)) !== undefined;

  it('says with 400 what a new address lacks, all at once', async () => {
    const required = (value: string) => ({
      required: { message: 'Field is required but missing', value },
    });
    const nothing = await create({});
    expect(nothing.status).toBe(400);
    expect(nothing.body).toEqual(
      invalid({ ip: required('ip'), zone: required('zone'), host: required('host') }),
    );
    const noZone = await create({ ip: '203.0.113.1', host: 'h' });
    expect(noZone.body).toEqual(invalid({ zone: required('zone') }));
  });

  it('says with 400 what is wrong with a new address', async () => {
    const answer = await create({ ip: 'foo', zone: '', host: '' });
    expect(answer.status).toBe(400);
    const minLength = {
      message: 'String must be at least 1 characters',
      target: 1,
      cause: '',
      value: '',
    };
    expect(answer.body).toEqual(
      invalid({
        ip: { not_one_schema_valid: { message: 'failed to validate', value: 'foo' } },
        zone: { minLength },
        host: { minLength },
      }),
    );
    const wrong = await create({ ip: '203.0.113.1', zone: 5, host: 'h'.repeat(257) });
    expect(wrong.status).toBe(400);
    expect(Object.keys(wrong.body.data)).toEqual(['zone', 'host']);
    expect(wrong.body.data.zone.type.target).toBe('string');
    expect(wrong.body.data.host.maxLength.target).toBe(256);
  });

  it('refuses an address that is there, in any spelling, and leaves it as it is', async () => {
    await create({ ip: '2001:db8::99', zone: 'first', host: 'h' });
    for (const ip of ['2001:db8::99', '2001:DB8:0:0::0:99', '2001:0db8::0099']) {
      const answer = await create({ ip, zone: 'second', host: 'h' });
      expect(answer.status).toBe(409);
      const data = { message: 'conflicting documents' };
      expect(answer.body).toEqual(failure(409, 'datastore_conflict', data));
    }
    const there = await service.call('GET', '/v2/ips/2001:db8::99', { token });
    expect(there.body.data).toEqual(details('2001:db8::99', 'first', undefined, 'h'));
  });

  it('lets exactly one of many create the same address', async () => {
    const many = Array.from({ length: 6 }, (_, n) =>
      create({ ip: '203.0.113.77', zone: `z${n}`, host: 'h' }),
    );
    const statuses = (await Promise.all(many)).map(({ status }) => status).sort();
    expect(statuses).toEqual([201, 409, 409, 409, 409, 409]);
  });

  it('takes a free address out of the pool', async () => {
    const ip = await makeIp();
    const answer = await service.call('DELETE', `/v2/ips/${ip}`, { token });
    expect(answer.status).toBe(200);
    const readOnly = {
      id: ip,
      rev: answer.body.revision,
      vsn: '1',
      status: 'available',
      type: 'dedicated_ip',
      zone: 'test-zone',
      host: HOST,
      created: expect.any(Number),
      modified: expect.any(Number),
      deleted: true,
    };
    expect(answer.body).toEqual(success({ _read_only: readOnly }, { revision: REVISION }));
    expect(answer.body.data._read_only.created).toBeGreaterThan(GREGORIAN_2020);

    for (const method of ['GET', 'DELETE']) {
      const gone = await service.call(method, `/v2/ips/${ip}`, { token });
      expect(gone.status).toBe(404);
      expect(gone.body).toEqual(noSuch(ip));
    }
    expect((await create({ ip, zone: 'again', host: 'h' })).status).toBe(201);
  });

  it('takes an assigned address out of the pool, and the copy of its holder with it', async () => {
    const ip = await makeIp();
    expect((await assign(CUSTOMER, ip)).status).toBe(200);
    expect(await hasCopy(CUSTOMER, ip)).toBe(true);
    const answer = await service.call('DELETE', `/v2/ips/${ip}`, { token });
    expect(answer.status).toBe(200);
    expect(answer.body.data._read_only).toMatchObject({
      id: ip,
      status: 'assigned',
      assigned_to: CUSTOMER,
      deleted: true,
    });
    expect(await hasCopy(CUSTOMER, ip)).toBe(false);
    const held = await service.call('GET', `/v2/accounts/${CUSTOMER}/ips/assigned`, { token });
    expect(held.body.data).toEqual([]);
  });

  it('refuses everybody but superduper accounts', async () => {
    const ip = await makeIp();
    const body = { data: { ip: '203.0.113.2', zone: 'z', host: 'h' } };
    for (const account of [2, 3] as const) {
      const other = await service.tokenOf(account);
      for (const [method, path] of [
        ['GET', '/v2/ips'],
        ['GET', '/v2/ips/zones'],
        ['GET', '/v2/ips/hosts'],
        ['GET', `/v2/ips/${ip}`],
        ['DELETE', `/v2/ips/${ip}`],
        ['PUT', '/v2/ips'],
      ] as const) {
        const asked = method === 'PUT' ? { token: other, body } : { token: other };
        const answer = await service.call(method, path, asked);
        expect([method, path, answer.status]).toEqual([method, path, 403]);
        expect(answer.body).toEqual(forbidden());
      }
    }
    expect((await service.call('GET', `/v2/ips/${ip}`, { token })).status).toBe(200);
  });

  it.each([
    ['its own account', CUSTOMER, 3, 200],
    ['the parent of its account', CUSTOMER, 2, 200],
    ['a superduper account', CUSTOMER, 1, 200],
    ['an account below that of its holder', RESELLER, 3, 404],
    ['an account below a superduper holder', MASTER, 2, 404],
  ] as const)('an address is seen by %s or not at all', async (_who, holder, account, status) => {
    const ip = await makeIp();
    expect((await assign(holder, ip)).status).toBe(200);
    const viewer = [MASTER, RESELLER, CUSTOMER][account - 1] ?? '';
    const own = await service.tokenOf(account);
    const answer = await service.call('GET', `/v2/accounts/${viewer}/ips/${ip}`, { token: own });
    expect(answer.status).toBe(status);
    expect(answer.body).toEqual(
      status === 404 ? noSuch(ip) : success(details(ip, 'test-zone', holder)),
    );
  });

  it('a superduper caller sees every address under whatever account', async () => {
    const ip = await makeIp();
    await assign(MASTER, ip);
    const answer = await service.call('GET', `/v2/accounts/${CUSTOMER}/ips/${ip}`, { token });
    expect(answer.body).toEqual(success(details(ip, 'test-zone', MASTER), { revision: REVISION }));
  });

  it('an ancestor that asks under its descendant sees what that may see', async () => {
    const ip = await makeIp();
    await assign(RESELLER, ip);
    const own = await service.tokenOf(2);
    const below = `/v2/accounts/${CUSTOMER}/ips/${ip}`;
    expect((await service.call('GET', below, { token: own })).body).toEqual(noSuch(ip));
    expect(
      (await service.call('GET', `/v2/accounts/${RESELLER}/ips/${ip}`, { token: own })).status,
    ).toBe(200);
  });

  it('everybody sees a free address, and 404 where there is none', async () => {
    const ip = await makeIp();
    for (const account of [1, 2, 3] as const) {
      const own = await service.tokenOf(account);
      const path = `/v2/accounts/${CUSTOMER}/ips`;
      const found = await service.call('GET', `${path}/${ip}`, { token: own });
      expect(found.body).toEqual(success(details(ip, 'test-zone'), { revision: REVISION }));
      const absent = await service.call('GET', `${path}/192.0.2.250`, { token: own });
      expect(absent.status).toBe(404);
      expect(absent.body).toEqual(noSuch('192.0.2.250'));
    }
  });
});
