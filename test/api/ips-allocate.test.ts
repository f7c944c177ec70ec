import { accountDatabase } from '../../src/couch/databases.js';
import { failure, invalid, noSuch, success } from '../support/envelope.js';
import { details, HOST } from '../support/ip-pool.js';
import { HASH, REVISION } from '../support/revisions.js';
import { CUSTOMER, RESELLER, startTestService, type TestService } from '../support/service.js';
import { storeUrl } from '../support/store.js';
import {
  startWriteCountingProxy,
  type WriteCountingProxy,
} from '../support/write-counting-proxy.js';

const exhausted = (where: string) =>
  failure(409, 'pool_exhausted', { message: `${where} has not so many available IPs` });

describe('allocating IPs to an account', () => {
  let proxy: WriteCountingProxy;
  let service: TestService;
  let token: string;
  let made = 0;

  beforeAll(async () => {
    proxy = await startWriteCountingProxy(storeUrl());
    service = await startTestService({ couchUrl: proxy.url });
    token = await service.tokenOf(1);
  });
  afterEach(() => proxy.watch());
  afterAll(async () => {
    await service.stop();
    await proxy.close();
  });

  /** A zone of its own with so many free addresses. */
  async function makeZone(count: number): Promise<string> {
    made += 1;
    const zone = `zone-${made}`;
    const ips = Array.from({ length: count }, (_, n) => `10.${made}.${n >> 8}.${n & 255}`);
    const body = { data: { ips, zone, host: HOST } };
    const answer = await service.call('PUT', '/v2/ips', { token, body });
    expect(Object.keys(answer.body.data.success)).toHaveLength(count);
    return zone;
  }

  const allocate = (data: object, accountId = CUSTOMER, on = service) =>
    on.call('POST', `/v2/accounts/${accountId}/ips`, { token, body: { data } });
  const heldIn = async (zone: string) =>
    (
      await service.call('GET', `/v2/ips/all?zone=${zone}&status=assigned&page_size=1000`, {
        token,
      })
    ).body.data as { ip: string; assigned_to: string }[];

  it('answers as an assignment does, and the addresses are free ones of the zone', async () => {
    const zone = await makeZone(6);
    const answer = await allocate({ quantity: 3, zone });
    expect(answer.status).toBe(200);
    const ips = Object.keys(answer.body.data.success);
    expect(ips).toHaveLength(3);
    const shown = Object.fromEntries(ips.map((ip) => [ip, details(ip, zone, CUSTOMER)]));
    expect(answer.body).toEqual(success({ success: shown, error: {} }, { revision: HASH }));
    expect((await heldIn(zone)).map(({ ip }) => ip).sort()).toEqual([...ips].sort());
    const copies = await service.couch.database(accountDatabase(CUSTOMER)).findMany(ips);
    expect([...copies.values()].map((doc) => doc['pvt_assigned_to'])).toEqual(
      ips.map(() => CUSTOMER),
    );
  });

  it('one address has the revision of its document, and the number may be a text', async () => {
    const zone = await makeZone(1);
    const answer = await allocate({ quantity: '1', zone });
    const [ip = ''] = Object.keys(answer.body.data.success);
    const data = { success: { [ip]: details(ip, zone, CUSTOMER) }, error: {} };
    expect(answer.body).toEqual(success(data, { revision: REVISION }));
  });

  it.each([{}, { zone: '' }])('takes any zone with %j', async (anywhere) => {
    const answer = await allocate({ quantity: 1, ...anywhere });
    expect(answer.status).toBe(200);
    expect(Object.keys(answer.body.data.success)).toHaveLength(1);
  });

  it('without ips and quantity nothing is assigned, and a zone alone is a mistake', async () => {
    expect((await allocate({})).body).toEqual(
      success({ success: {}, error: {} }, { revision: HASH }),
    );
    const message = 'a zone needs a quantity: how many of its free addresses';
    expect((await allocate({ zone: 'us-east' })).body).toEqual(
      invalid({ quantity: { required: { message } } }),
    );
  });

  it('ips together with quantity is a 400 that says so, and nothing is written', async () => {
    const zone = await makeZone(1);
    proxy.watch();
    const answer = await allocate({ quantity: 1, ips: ['1.2.3.6'], zone });
    expect(answer.status).toBe(400);
    const message = 'quantity picks free addresses and ips names them: send one of the two';
    expect(answer.body).toEqual(invalid({ quantity: { superfluous: { message, value: 1 } } }));
    expect(proxy.landed).toEqual([]);
  });

  it.each([
    [0, { minimum: { message: 'Value must be at least 1', target: 1, value: 0 } }],
    [1001, { maximum: { message: 'Value must be at most 1000', target: 1000, value: 1001 } }],
    [
      1.5,
      { type: { message: 'Value did not match type(s): integer', target: 'integer', value: 1.5 } },
    ],
    [
      null,
      { type: { message: 'Value did not match type(s): number', target: 'number', value: null } },
    ],
    [
      'few',
      { type: { message: 'Value did not match type(s): number', target: 'number', value: 'few' } },
    ],
  ])('quantity %j is a 400', async (quantity, fault) => {
    const answer = await allocate({ quantity });
    expect(answer.status).toBe(400);
    expect(answer.body).toEqual(invalid({ quantity: fault }));
  });

  it('is a 409 without any write when the pool has not enough', async () => {
    const zone = await makeZone(3);
    proxy.watch();
    const answer = await allocate({ quantity: 4, zone });
    expect(answer.status).toBe(409);
    expect(answer.body).toEqual(exhausted(`the zone ${zone}`));
    const nowhere = await allocate({ quantity: 1, zone: 'nowhere' });
    expect(nowhere.body).toEqual(exhausted('the zone nowhere'));
    const everything = await allocate({ quantity: 1000 });
    expect(everything.body).toEqual(exhausted('the pool'));
    expect(proxy.landed).toEqual([]);
    expect(await heldIn(zone)).toEqual([]);
  });

  it('sees at once what was added and released just before', async () => {
    const zone = await makeZone(2);
    expect((await allocate({ quantity: 2, zone })).status).toBe(200);
    expect((await allocate({ quantity: 1, zone })).status).toBe(409);
    const [one] = await heldIn(zone);
    await service.call('DELETE', `/v2/accounts/${CUSTOMER}/ips/${one?.ip}`, { token });
    const again = await allocate({ quantity: 1, zone }, RESELLER);
    expect(Object.keys(again.body.data.success)).toEqual([one?.ip]);
  });

  it('gives the last addresses of a zone to as many callers as there are addresses', async () => {
    const zone = await makeZone(24);
    const answers = await Promise.all(
      Array.from({ length: 30 }, (_, n) =>
        allocate({ quantity: 1, zone }, n % 2 ? CUSTOMER : RESELLER),
      ),
    );
    const statuses = answers.map(({ status }) => status);
    expect(statuses.filter((status) => status === 200)).toHaveLength(24);
    expect(statuses.filter((status) => status === 409)).toHaveLength(6);
    const given = answers.flatMap(({ status, body }) =>
      status === 200 ? Object.keys(body.data.success) : [],
    );
    expect(new Set(given).size).toBe(24);
    expect((await heldIn(zone)).map(({ ip }) => ip).sort()).toEqual([...given].sort());
  });

  it('of two that together want too much, one gets all and the other nothing', async () => {
    const zone = await makeZone(10);
    const answers = await Promise.all([
      allocate({ quantity: 8, zone }, CUSTOMER),
      allocate({ quantity: 8, zone }, RESELLER),
    ]);
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409]);
    const held = await heldIn(zone);
    expect(held).toHaveLength(8);
    expect(new Set(held.map(({ assigned_to }) => assigned_to)).size).toBe(1);
  });

  it('needs hardly more writes than addresses when many ask at once', async () => {
    const zone = await makeZone(400);
    proxy.watch();
    const answers = await Promise.all(
      Array.from({ length: 64 }, () => allocate({ quantity: 1, zone })),
    );
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    const truths = proxy.landed.filter((label) => label.includes('dedicated_ips'));
    expect(truths.length).toBeLessThanOrEqual(64 * 1.5);
  });

  it('two processes that take from one zone share it without an error', async () => {
    const zone = await makeZone(60);
    const { dbPrefix, keyring } = service;
    const second = await startTestService({ dbPrefix, keyring, isSecond: true });
    try {
      const answers = await Promise.all(
        Array.from({ length: 20 }, (_, n) =>
          allocate({ quantity: 3, zone }, n % 2 ? CUSTOMER : RESELLER, n % 2 ? service : second),
        ),
      );
      expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
      const given = answers.flatMap(({ body }) => Object.keys(body.data.success));
      expect(new Set(given).size).toBe(60);
    } finally {
      await second.stop();
    }
  });

  it('gives everything back when the account is deleted meanwhile', async () => {
    const zone = await makeZone(5);
    const accounts = service.couch.database(accountDatabase(RESELLER));
    const before = await accounts.get(RESELLER);
    proxy.watch(async ({ label }, moment) => {
      if (moment === 'before' && label.includes('dedicated_ips')) {
        const now = await accounts.get(RESELLER);
        if (now['pvt_deleted'] !== true) await accounts.put({ ...now, pvt_deleted: true });
      }
      return 'go on';
    });
    const answer = await allocate({ quantity: 4, zone }, RESELLER);
    proxy.watch();
    const { _rev } = await accounts.get(RESELLER);
    await accounts.put({ ...before, _rev });
    expect(answer.status).toBe(404);
    expect(answer.body).toEqual(noSuch(RESELLER));
    expect(await heldIn(zone)).toEqual([]);
    const copies = await accounts.findMany(
      Array.from({ length: 5 }, (_, n) => `10.${made}.0.${n}`),
    );
    expect([...copies.keys()]).toEqual([]);
  });

  it('gives back what it took when the store fails on the way', async () => {
    const zone = await makeZone(700);
    let bulks = 0;
    proxy.watch(async ({ label }, moment) => {
      if (moment === 'after' || !label.includes('dedicated_ips')) return 'go on';
      bulks += 1;
      // 600 documents are two writes: the store takes the first and dies at the second.
      if (bulks === 2) throw new Error('the connection is cut');
      return 'go on';
    });
    const answer = await allocate({ quantity: 600, zone });
    expect(answer.status).toBe(503);
    expect(answer.body).toEqual(
      failure(503, 'datastore_unreachable', {
        message: 'datastore timeout',
        cause: expect.stringMatching(/^10\./),
      }),
    );
    expect(bulks).toBeGreaterThan(2);
    expect(await heldIn(zone)).toEqual([]);
    expect((await allocate({ quantity: 600, zone })).status).toBe(200);
  });
});
