import { createHash } from 'node:crypto';
import { databases } from '../../src/couch/databases.js';
import { invalid, noSuch, success } from '../support/envelope.js';
import { HOST } from '../support/ip-pool.js';
import { HASH } from '../support/revisions.js';
import { CUSTOMER, RESELLER, startTestService, type TestService } from '../support/service.js';

const POOL = {
  'eu-central': ['2001:db8::10', '9.10.11.12'],
  'us-east': ['1.2.3.4', '1.2.3.5', '1.2.3.6'],
  'us-west': ['5.6.7.8', '5.6.7.9'],
};

function rows(...zones: (keyof typeof POOL)[]): { ip: string; zone: string }[] {
  return zones.flatMap((zone) => POOL[zone].map((ip) => ({ ip, zone })));
}

/** By address, because the two kinds of store sort text in ways of their own. */
function sorted(list: readonly { ip: string }[]): { ip: string }[] {
  return [...list].sort((a, b) => (a.ip < b.ip ? -1 : 1));
}

describe('lists of available IPs', () => {
  let service: TestService;
  let token: string;
  const ips = `/v2/accounts/${CUSTOMER}/ips`;

  beforeAll(async () => {
    service = await startTestService();
    token = await service.tokenOf(1);
  });
  afterAll(() => service.stop());

  it.each(['/v2/ips', ips])('GET %s holds one address unless more are asked for', async (path) => {
    const answer = await service.call('GET', path, { token });
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual(
      success([{ ip: expect.stringMatching(/2001:db8::10|9\.10/), zone: 'eu-central' }], {
        revision: HASH,
        auth_token: token,
      }),
    );
    const data: unknown = JSON.parse(JSON.stringify(answer.body.data));
    const hash = createHash('md5').update(JSON.stringify(data)).digest('hex');
    expect(answer.body.revision).toBe(hash);
  });

  it.each([
    ['?quantity=1000', rows('eu-central', 'us-east', 'us-west')],
    ['?quantity=7', rows('eu-central', 'us-east', 'us-west')],
    ['?quantity=2&zone=us-west', rows('us-west')],
    ['?zone=us-west&quantity=1000', rows('us-west')],
    ['?zone=&quantity=1000', rows('eu-central', 'us-east', 'us-west')],
    ['?zone=nowhere&quantity=1000', []],
    ['?zone=us-west&zone_name=us-east&filter_zone=x&paginate=true&quantity=3', rows('us-west')],
    ['?zone=us', []],
    ['?zone=US-EAST', []],
    ['?zone=%22us-east%22', []],
  ])('GET …/ips%s', async (query, expected) => {
    for (const path of ['/v2/ips', ips]) {
      const answer = await service.call('GET', `${path}${query}`, { token });
      expect(answer.status).toBe(200);
      const { data } = answer.body;
      expect(answer.body).toEqual(success(data, { revision: HASH, auth_token: token }));
      expect(sorted(data)).toEqual(sorted(expected));
      expect(data.map((row: { zone: string }) => row.zone)).toEqual(
        expected.map(({ zone }) => zone),
      );
    }
  });

  it('quantity counts within the zone', async () => {
    const answer = await service.call('GET', `${ips}?zone=us-east&quantity=2`, { token });
    expect(answer.body.data).toEqual(rows('us-east').slice(0, 2));
  });

  it.each([
    ['0', { minimum: { message: 'Value must be at least 1', target: 1, value: 0 } }],
    ['-1', { minimum: { message: 'Value must be at least 1', target: 1, value: -1 } }],
    ['1001', { maximum: { message: 'Value must be at most 1000', target: 1000, value: 1001 } }],
    ['ten', type('ten')],
    ['', type('')],
    ['1.5', type(1.5, 'integer')],
    ['1e2', type('1e2')],
    ['0x10', type('0x10')],
    ['%201', type(' 1')],
    ['1&quantity=2', type(['1', '2'])],
  ])('quantity=%s is a 400', async (text, quantity) => {
    for (const path of ['/v2/ips', ips]) {
      const answer = await service.call('GET', `${path}?quantity=${text}`, { token });
      expect(answer.status).toBe(400);
      expect(answer.body).toEqual(invalid({ quantity }));
    }
  });

  it('an assigned address is no longer available, a released one is again', async () => {
    const listed = async () =>
      (await service.call('GET', `${ips}?quantity=9&zone=us-west`, { token })).body.data;
    await service.call('POST', `${ips}/5.6.7.8`, { token });
    expect(await listed()).toEqual([{ ip: '5.6.7.9', zone: 'us-west' }]);
    await service.call('DELETE', `${ips}/5.6.7.8`, { token });
    expect(await listed()).toEqual(rows('us-west'));
  });

  it.each([
    ['/v2/ips/zones', '/v2/ips/hosts'],
    [`${ips}/zones`, `${ips}/hosts`],
  ])('%s and %s name each once, those of assigned addresses too', async (zones, hosts) => {
    await service.call('POST', `${ips}/9.10.11.12`, { token });
    await service.call('POST', `${ips}/2001:db8::10`, { token });
    const members = { revision: HASH, auth_token: token };
    const zoned = await service.call('GET', zones, { token });
    expect(zoned.body).toEqual(success(['eu-central', 'us-east', 'us-west'], members));
    const hosted = await service.call('GET', hosts, { token });
    expect(hosted.body).toEqual(
      success(
        [
          'proxy1.eu-central.myswitch.com',
          'proxy1.us-east.myswitch.com',
          'proxy1.us-west.myswitch.com',
          'proxy2.us-east.myswitch.com',
          'proxy2.us-west.myswitch.com',
        ],
        members,
      ),
    );
    await service.call('DELETE', ips, {
      token,
      body: { data: { ips: ['9.10.11.12', '2001:db8::10'] } },
    });
  });

  it('lists of an account that is not there are 404', async () => {
    const absent = 'f'.repeat(32);
    for (const path of ['', '/assigned', '/zones', '/hosts', '/1.2.3.4']) {
      const at = `/v2/accounts/${absent}/ips${path}`;
      const answer = await service.call('GET', at, { token });
      expect(answer.status).toBe(404);
      expect(answer.body).toEqual(noSuch(absent, 'token'));
    }
  });
});

function type(value: unknown, target = 'number'): Record<string, unknown> {
  return { type: { message: `Value did not match type(s): ${target}`, target, value } };
}

describe('the list of assigned IPs', () => {
  let service: TestService;
  let token: string;
  const path = `/v2/accounts/${CUSTOMER}/ips`;

  beforeAll(async () => {
    service = await startTestService();
    token = await service.tokenOf(1);
  });
  afterAll(() => service.stop());

  async function listAssigned(): Promise<{ ip: string; zone: string }[]> {
    const answer = await service.call('GET', `${path}/assigned`, { token });
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual(success(answer.body.data, { revision: HASH, auth_token: token }));
    return answer.body.data;
  }

  it("begins with the server's own zone, then goes by zone and by number", async () => {
    const more = ['10.0.0.10', '10.0.0.9', '::1', '2001:db8::a'];
    for (const ip of more) {
      const body = { data: { ip, zone: 'us-west', host: HOST } };
      expect((await service.call('PUT', '/v2/ips', { token, body })).status).toBe(201);
    }
    const all = [...Object.values(POOL).flat(), ...more].reverse();
    const body = { data: { ips: all } };
    expect((await service.call('POST', path, { token, body })).status).toBe(200);
    const west = ['5.6.7.8', '5.6.7.9', '10.0.0.9', '10.0.0.10', '::1', '2001:db8::a'];
    // The demo configuration calls this server's zone `us-east`.
    expect(await listAssigned()).toEqual([
      ...rows('us-east'),
      { ip: '9.10.11.12', zone: 'eu-central' },
      { ip: '2001:db8::10', zone: 'eu-central' },
      ...west.map((ip) => ({ ip, zone: 'us-west' })),
    ]);
  });

  it('follows the zone_name_map of the system configuration', async () => {
    const config = service.couch.database(databases.systemConfig);
    const doc = await config.get('ips');
    await config.put({ ...doc, default: { zone_name_map: { local: 'us-west' } } });
    const second = await startTestService({
      dbPrefix: service.dbPrefix,
      keyring: service.keyring,
      isSecond: true,
    });
    try {
      const answer = await second.call('GET', `${path}/assigned`, { token });
      const zones = answer.body.data.map((row: { zone: string }) => row.zone);
      expect([...new Set(zones)]).toEqual(['us-west', 'eu-central', 'us-east']);
    } finally {
      await second.stop();
    }
  });

  it('holds nothing of accounts above or below', async () => {
    const answer = await service.call('GET', `/v2/accounts/${RESELLER}/ips/assigned`, { token });
    expect(answer.body).toEqual(success([], { revision: HASH }));
  });

  it('ignores zone and quantity, which the page has for available addresses only', async () => {
    const answer = await service.call('GET', `${path}/assigned?zone=us-west&quantity=1`, { token });
    expect(answer.body.data).toEqual(await listAssigned());
  });
});
