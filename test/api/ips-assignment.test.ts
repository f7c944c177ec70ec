import { failure, invalid, success } from '../support/envelope.js';
import { createIpMaker, details, fault } from '../support/ip-pool.js';
import { HASH, REVISION } from '../support/revisions.js';
import {
  type Answer,
  CUSTOMER,
  MASTER,
  RESELLER,
  startTestService,
  type TestService,
} from '../support/service.js';

const ZONE = 'test-zone';
const NOT_FOUND = 'ip not found';
const ALREADY = 'ip already assigned';
const NOT_ASSIGNED = 'ip not assigned';
const FOREIGN = 'ip assigned to another account';

describe('assigning and releasing IPs', () => {
  let service: TestService;
  let token: string;
  let makeIp: (zone?: string) => Promise<string>;
  const ips = `/v2/accounts/${CUSTOMER}/ips`;

  beforeAll(async () => {
    service = await startTestService();
    token = await service.tokenOf(3);
    makeIp = createIpMaker(service, await service.tokenOf(1));
  });
  afterAll(() => service.stop());

  const send = (method: string, list: readonly unknown[], path = ips): Promise<Answer> =>
    service.call(method, path, { token, body: { data: { ips: list } } });

  async function makeHeld(accountId = CUSTOMER): Promise<string> {
    const ip = await makeIp();
    const master = await service.tokenOf(1);
    const path = `/v2/accounts/${accountId}/ips/${ip}`;
    expect((await service.call('POST', path, { token: master })).status).toBe(200);
    return ip;
  }

  async function holderOf(ip: string): Promise<string | undefined> {
    const master = await service.tokenOf(1);
    return (await service.call('GET', `/v2/ips/${ip}`, { token: master })).body.data.assigned_to;
  }

  it('names every bad address of a list at its place, and writes nothing', async () => {
    const [free, own, foreign] = [await makeIp(), await makeHeld(), await makeHeld(RESELLER)];
    const answer = await send('POST', [free, own, '192.0.2.1', foreign, '192.0.2.2']);
    expect(answer.status).toBe(400);
    expect(answer.body).toEqual(
      invalid({
        ...fault(1, 'superfluous', ALREADY, own),
        ...fault(2, 'not_found', NOT_FOUND, '192.0.2.1'),
        ...fault(3, 'forbidden', FOREIGN, foreign),
        ...fault(4, 'not_found', NOT_FOUND, '192.0.2.2'),
      }),
    );
    expect(await holderOf(free)).toBeUndefined();
    expect([await holderOf(own), await holderOf(foreign)]).toEqual([CUSTOMER, RESELLER]);
  });

  it('names every bad address of a release likewise; a foreign one spoils no other', async () => {
    const [own, foreign, free] = [await makeHeld(), await makeHeld(RESELLER), await makeIp()];
    const second = await makeHeld();
    const answer = await send('DELETE', [own, foreign, second, free, '192.0.2.1']);
    expect(answer.status).toBe(400);
    expect(answer.body).toEqual(
      invalid({
        ...fault(1, 'forbidden', FOREIGN, foreign),
        ...fault(3, 'superfluous', NOT_ASSIGNED, free),
        ...fault(4, 'not_found', NOT_FOUND, '192.0.2.1'),
      }),
    );
    expect([await holderOf(own), await holderOf(second)]).toEqual([CUSTOMER, CUSTOMER]);
  });

  it.each([
    ['POST', 'not_found', NOT_FOUND, () => Promise.resolve('192.0.2.1')],
    ['POST', 'superfluous', ALREADY, () => makeHeld()],
    ['POST', 'forbidden', FOREIGN, () => makeHeld(MASTER)],
    ['DELETE', 'not_found', NOT_FOUND, () => Promise.resolve('192.0.2.1')],
    ['DELETE', 'superfluous', NOT_ASSIGNED, () => makeIp()],
    ['DELETE', 'forbidden', FOREIGN, () => makeHeld(RESELLER)],
  ])('%s of a single address: %s, as the list of that one', async (method, rule, message, make) => {
    const ip = await make();
    const single = await service.call(method, `${ips}/${ip}`, { token, body: { data: {} } });
    expect(single.status).toBe(400);
    expect(single.body).toEqual(invalid({ ...fault(0, rule, message, ip) }));
    expect((await send(method, [ip])).body).toEqual(invalid({ ...fault(0, rule, message, ip) }));
  });

  it('keeps the path with a dot for faults of the schema, which come before the pool', async () => {
    const own = await makeHeld();
    const notOne = (value: unknown) => ({
      not_one_schema_valid: { message: 'failed to validate', value },
    });
    for (const method of ['POST', 'DELETE']) {
      const answer = await send(method, [own, 'foo', '192.0.2.1', '1.2.3']);
      expect(answer.status).toBe(400);
      expect(answer.body).toEqual(invalid({ 'ips.1': notOne('foo'), 'ips.3': notOne('1.2.3') }));
      const single = await service.call(method, `${ips}/foo`, { token });
      expect(single.status).toBe(400);
      expect(single.body).toEqual(invalid({ 'ips.0': notOne('foo') }));
    }
  });

  it('says what a list must be', async () => {
    const empty = { minItems: { message: 'The list must have at least 1 items', target: 1 } };
    for (const method of ['POST', 'DELETE']) {
      const none = await send(method, []);
      expect(none.status).toBe(400);
      expect(none.body).toEqual(invalid({ ips: { minItems: { ...empty.minItems, value: [] } } }));
      const text = await service.call(method, ips, { token, body: { data: { ips: '1.2.3.4' } } });
      expect(text.status).toBe(400);
      const message = 'Value did not match type(s): array';
      const type = { message, target: 'array', value: '1.2.3.4' };
      expect(text.body).toEqual(invalid({ ips: { type } }));
      const numbers = await send(method, [1, null, { ip: '1.2.3.4' }]);
      expect(numbers.status).toBe(400);
      expect(Object.keys(numbers.body.data)).toEqual(['ips.0', 'ips.1', 'ips.2']);
    }
  });

  it('takes 10,000 addresses at once and no more', async () => {
    const list = Array.from({ length: 10_001 }, (_, n) => `2001:db8:1::${n.toString(16)}`);
    const many = await send('POST', list);
    expect(many.status).toBe(400);
    const message = 'The list is more than 10000 items';
    expect(many.body).toEqual(
      invalid({ ips: { maxItems: { message, target: 10_000, value: list } } }),
    );
    const most = await send('POST', list.slice(1));
    expect(most.status).toBe(400);
    expect(Object.keys(most.body.data)).toHaveLength(10_000);
  });

  it.each(['POST', 'DELETE'])('%s without any list does nothing, successfully', async (method) => {
    const nothing = success({ success: {}, error: {} }, { revision: HASH, auth_token: token });
    for (const body of ['{"data": {}}', '', undefined]) {
      const asked = body === undefined ? { token } : { token, body };
      const answer = await service.call(method, ips, asked);
      expect(answer.status).toBe(200);
      expect(answer.body).toEqual(nothing);
    }
  });

  it('counts an address that is twice in one list once, in whatever spelling', async () => {
    const ip = await makeIp();
    const list = [ip, ip, `::ffff:${ip}`];
    const assigned = await send('POST', list);
    expect(assigned.status).toBe(200);
    const data = { success: { [ip]: details(ip, ZONE, CUSTOMER) }, error: {} };
    expect(assigned.body).toEqual(success(data, { revision: REVISION }));
    const released = await send('DELETE', list);
    expect(released.status).toBe(200);
    const free = { success: { [ip]: details(ip, ZONE) }, error: {} };
    expect(released.body).toEqual(success(free, { revision: REVISION }));
  });

  it('names an unknown address that is twice in the list at both places', async () => {
    const answer = await send('POST', ['192.0.2.1', '192.0.2.1']);
    expect(answer.body).toEqual(
      invalid({
        ...fault(0, 'not_found', NOT_FOUND, '192.0.2.1'),
        ...fault(1, 'not_found', NOT_FOUND, '192.0.2.1'),
      }),
    );
  });

  it('lets any token of the account, of an ancestor or of a superduper account do it', async () => {
    for (const account of [1, 2, 3] as const) {
      const ip = await makeIp();
      const own = await service.tokenOf(account);
      const path = `${ips}/${ip}`;
      expect((await service.call('POST', path, { token: own })).status).toBe(200);
      expect(await holderOf(ip)).toBe(CUSTOMER);
      expect((await service.call('DELETE', path, { token: own })).status).toBe(200);
    }
  });

  it('refuses an account that is no ancestor, for every verb', async () => {
    const ip = await makeHeld(RESELLER);
    for (const [method, path] of [
      ['POST', ''],
      ['DELETE', ''],
      ['POST', `/${ip}`],
      ['DELETE', `/${ip}`],
      ['GET', ''],
      ['GET', '/assigned'],
      ['GET', '/zones'],
      ['GET', '/hosts'],
      ['GET', `/${ip}`],
    ] as const) {
      const body = method === 'GET' ? {} : { body: { data: { ips: [ip] } } };
      const at = `/v2/accounts/${RESELLER}/ips${path}`;
      const answer = await service.call(method, at, { token, ...body });
      expect([method, path, answer.status]).toEqual([method, path, 403]);
      expect(answer.body).toEqual(failure(403, 'forbidden', { message: 'forbidden' }));
    }
    expect(await holderOf(ip)).toBe(RESELLER);
  });

  it('gives one address to one of many accounts that ask at the same moment', async () => {
    const free = await Promise.all(Array.from({ length: 4 }, () => makeIp()));
    const tokens = [await service.tokenOf(1), await service.tokenOf(1), await service.tokenOf(1)];
    const accounts = [MASTER, RESELLER, CUSTOMER];
    const answers = await Promise.all(
      accounts.map((id, n) =>
        service.call('POST', `/v2/accounts/${id}/ips`, {
          token: tokens[n] ?? '',
          body: { data: { ips: free } },
        }),
      ),
    );
    const claims = answers.flatMap(({ status, body }, n) =>
      status === 200 ? Object.keys(body.data.success).map((ip) => [ip, accounts[n]]) : [],
    );
    expect(claims.map(([ip]) => ip).sort()).toEqual([...free].sort());
    for (const [ip, holder] of claims) expect(await holderOf(String(ip))).toBe(holder);
    for (const { status, body } of answers) {
      if (status !== 200) expect(body.message).toBe('validation error');
      else
        for (const lost of Object.values(body.data.error)) {
          expect(lost).toEqual({ message: 'already_assigned' });
        }
    }
  });
});
