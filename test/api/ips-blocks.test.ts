import { databases } from '../../src/couch/databases.js';
import { failure, forbidden, invalid, success } from '../support/envelope.js';
import { details, HOST } from '../support/ip-pool.js';
import { callRaw } from '../support/raw-call.js';
import { HASH } from '../support/revisions.js';
import { startTestService, type TestService } from '../support/service.js';

const THERE = { message: 'datastore_conflict' };

describe('adding a block of IPs', () => {
  let service: TestService;
  let token: string;

  beforeAll(async () => {
    service = await startTestService();
    token = await service.tokenOf(1);
  });
  afterAll(() => service.stop());

  const add = (data: object, on = service) =>
    on.call('PUT', '/v2/ips', { token, body: { data: { zone: 'block', host: HOST, ...data } } });
  const shown = (ips: readonly string[]) =>
    Object.fromEntries(ips.map((ip) => [ip, details(ip, 'block')]));

  it('takes an IPv4 prefix with its network and broadcast address', async () => {
    const answer = await add({ cidr: '198.51.100.8/30' });
    const ips = ['198.51.100.8', '198.51.100.9', '198.51.100.10', '198.51.100.11'];
    expect(answer.status).toBe(201);
    expect(answer.body).toEqual(success({ success: shown(ips), error: {} }, { revision: HASH }));
    const docs = await service.couch.database(databases.dedicatedIps).findMany(ips);
    expect([...docs.values()].map((doc) => doc['pvt_status'])).toEqual(ips.map(() => 'available'));
    expect(new Set([...docs.values()].map((doc) => doc['pvt_request_id']))).toEqual(
      new Set([answer.body.request_id]),
    );
  });

  it('takes an IPv6 prefix, whose addresses are stored in their one spelling', async () => {
    const answer = await add({ cidr: '2001:DB8:0:0:0:0:FF:fffe/127' });
    const ips = ['2001:db8::ff:fffe', '2001:db8::ff:ffff'];
    expect(answer.body).toEqual(success({ success: shown(ips), error: {} }, { revision: HASH }));
    const mapped = await add({ cidr: '::ffff:198.51.100.16/127' });
    expect(Object.keys(mapped.body.data.success)).toEqual(['198.51.100.16', '198.51.100.17']);
  });

  it('takes a list, each address once, and tells which are there already', async () => {
    await add({ ips: ['198.51.100.20'], zone: 'first' });
    const ips = ['198.51.100.21', '198.51.100.20', '2001:db8::20', '2001:DB8:0::20'];
    const answer = await add({ ips });
    expect(answer.status).toBe(201);
    expect(answer.body).toEqual(
      success(
        { success: shown(['198.51.100.21', '2001:db8::20']), error: { '198.51.100.20': THERE } },
        { revision: HASH },
      ),
    );
    const kept = await service.call('GET', '/v2/ips/198.51.100.20', { token });
    expect(kept.body.data.zone).toBe('first');
  });

  it('is safe to repeat: what is there is an error and nothing changes', async () => {
    const first = await add({ cidr: '198.51.100.32/29' });
    const again = await add({ cidr: '198.51.100.32/28' });
    expect(again.status).toBe(201);
    expect(Object.keys(again.body.data.error)).toEqual(Object.keys(first.body.data.success));
    expect(Object.keys(again.body.data.success)).toHaveLength(8);
    const all = await add({ cidr: '198.51.100.32/28' });
    expect(all.body.data.success).toEqual({});
    expect(Object.keys(all.body.data.error)).toHaveLength(16);
  });

  const one = 'send one of ip, ips, cidr, not';
  it.each([
    [{ ip: '192.0.2.1', cidr: '192.0.2.0/30' }, { cidr: `${one} ip and cidr` }],
    [{ ip: '192.0.2.1', ips: ['192.0.2.2'] }, { ips: `${one} ip and ips` }],
    [{ ips: ['192.0.2.2'], cidr: '192.0.2.0/30' }, { cidr: `${one} ips and cidr` }],
  ])('%j is a 400', async (data, faults) => {
    const answer = await add(data);
    expect(answer.status).toBe(400);
    const wrong = Object.entries(faults).map(([name, message]) => [
      name,
      { superfluous: { message } },
    ]);
    expect(answer.body).toEqual(invalid(Object.fromEntries(wrong)));
  });

  it.each([
    ['192.0.2.1/30', 'invalid', 'Host bits are set; the network is 192.0.2.0/30'],
    ['2001:db8::1/120', 'invalid', 'Host bits are set; the network is 2001:db8::/120'],
    ['192.0.2.0', 'wrong_format', 'Field is not in the correct format'],
    ['192.0.2.0/33', 'wrong_format', 'Field is not in the correct format'],
    ['192.0.2/24', 'wrong_format', 'Field is not in the correct format'],
    ['192.0.2.0/024', 'wrong_format', 'Field is not in the correct format'],
    ['', 'wrong_format', 'Field is not in the correct format'],
  ])('the prefix %j is a 400', async (cidr, rule, message) => {
    const answer = await add({ cidr });
    expect(answer.status).toBe(400);
    expect(answer.body).toEqual(invalid({ cidr: { [rule]: { message, value: cidr } } }));
  });

  it.each(['10.0.0.0/15', '2001:db8::/111', '0.0.0.0/0', '::/0'])(
    'the prefix %s has too many addresses',
    async (cidr) => {
      const message = 'The block has more than 65536 addresses';
      const maximum = { message, target: 65_536, value: cidr };
      expect((await add({ cidr })).body).toEqual(invalid({ cidr: { maximum } }));
    },
  );

  it('tells everything that is wrong with a list at once', async () => {
    const data = { ips: ['192.0.2.1', 'foo', 7, '192.0.2.256'], zone: '' };
    const answer = await add(data);
    expect(answer.status).toBe(400);
    const bad = (value: string) => ({
      not_one_schema_valid: { message: 'failed to validate', value },
    });
    expect(answer.body).toEqual(
      invalid({
        'ips.1': bad('foo'),
        'ips.2': {
          type: { message: 'Value did not match type(s): string', target: 'string', value: 7 },
        },
        'ips.3': bad('192.0.2.256'),
        zone: {
          minLength: {
            message: 'String must be at least 1 characters',
            target: 1,
            cause: '',
            value: '',
          },
        },
      }),
    );
    const empty = await add({ ips: [] });
    const message = 'The list must have at least 1 items';
    expect(empty.body).toEqual(invalid({ ips: { minItems: { message, target: 1, value: [] } } }));
    const found = await service.call('GET', '/v2/ips/192.0.2.1', { token });
    expect(found.status).toBe(404);
  });

  it('is for superduper accounts', async () => {
    const body = { data: { cidr: '192.0.2.0/30', zone: 'z', host: 'h' } };
    const answer = await service.call('PUT', '/v2/ips', { token: await service.tokenOf(2), body });
    expect(answer.body).toEqual(forbidden());
  });

  it('one address is added as ever', async () => {
    const answer = await add({ ip: '192.0.2.77' });
    expect(answer.status).toBe(201);
    expect(answer.body.data._read_only).toMatchObject({ id: '192.0.2.77', zone: 'block' });
    const again = await add({ ip: '192.0.2.77' });
    const data = { message: 'conflicting documents' };
    expect(again.body).toEqual(failure(409, 'datastore_conflict', data));
  });

  it('65,536 addresses are added and answered, and other requests in between', async () => {
    const body = JSON.stringify({ data: { cidr: '10.7.0.0/16', zone: 'large', host: HOST } });
    let isDone = false;
    const adding = callRaw(service.url, 'PUT', '/v2/ips', { token, body }).finally(() => {
      isDone = true;
    });
    let others = 0;
    while (!isDone) {
      const answer = await callRaw(service.url, 'GET', '/v2/ips/1.2.3.4', { token });
      expect(answer.status).toBe(200);
      others += 1;
    }
    const answer = await adding;
    expect(answer.status).toBe(201);
    expect(answer.body.data.error).toEqual({});
    expect(answer.body).toEqual(success(answer.body.data, { revision: HASH }));
    const ips = Object.keys(answer.body.data.success);
    expect(ips).toHaveLength(65_536);
    expect(ips[0]).toBe('10.7.0.0');
    expect(ips[65_535]).toBe('10.7.255.255');
    expect(answer.body.data.success['10.7.3.9']).toEqual(details('10.7.3.9', 'large'));
    expect(others).toBeGreaterThan(10);
  }, 300_000);

  it('the deadline of a request grows with the block, and not that of one address', async () => {
    const { dbPrefix, keyring } = service;
    const hasty = await startTestService({
      dbPrefix,
      keyring,
      isSecond: true,
      requestTimeoutMs: 600,
    });
    try {
      const answer = await add({ cidr: '10.8.0.0/20' }, hasty);
      expect(answer.status).toBe(201);
      expect(Object.keys(answer.body.data.success)).toHaveLength(4096);
    } finally {
      await hasty.stop();
    }
  }, 60_000);
});
