import { databases } from '../../src/couch/databases.js';
import { failure, invalid, success } from '../support/envelope.js';
import { createUser, credentialsOf, everythingStored } from '../support/people.js';
import { callRaw, type RawAnswer } from '../support/raw-call.js';
import {
  CUSTOMER,
  demoKey,
  RESELLER,
  startTestService,
  type TestService,
} from '../support/service.js';

const DAY_MS = 24 * 3_600_000;

describe('requests with an Idempotency-Key', () => {
  let service: TestService;
  let token: string;
  let count = 0;

  beforeAll(async () => {
    service = await startTestService();
    token = await service.tokenOf(1);
  });
  afterAll(() => service.stop());

  function next(): number {
    count += 1;
    return count;
  }

  function newIp() {
    return { ip: `10.9.0.${next()}`, zone: 'keyed', host: 'keyed.example.com' };
  }

  /** A request whose answer is taken as it came, byte by byte. */
  function ask(
    method: string,
    path: string,
    key: string | string[],
    data?: unknown,
    more: { token?: string; headers?: Record<string, string> } = {},
  ): Promise<RawAnswer> {
    return callRaw(service.url, method, path, {
      token,
      ...more,
      ...(data === undefined ? {} : { body: JSON.stringify({ data }) }),
      headers: { 'idempotency-key': key, ...more.headers },
    });
  }

  function expectReplay(again: RawAnswer, first: RawAnswer): void {
    expect(first.headers['idempotent-replay']).toBeUndefined();
    expect([again.status, again.text]).toEqual([first.status, first.text]);
    expect(again.headers['idempotent-replay']).toBe('true');
    for (const name of ['etag', 'location', 'content-type', 'content-length']) {
      expect([name, again.headers[name]]).toEqual([name, first.headers[name]]);
    }
  }

  it('get the first answer again, byte for byte, and have one effect', async () => {
    const data = newIp();
    const key = `add ${data.ip}`;
    const first = await ask('PUT', '/v2/ips', key, data);
    expect(first.status).toBe(201);
    expect(first.headers['etag']).toMatch(/^"1-/);
    const again = await ask('PUT', '/v2/ips', key, data, { headers: { 'x-request-id': 'other' } });
    expectReplay(again, first);
    expect(again.headers['x-request-id']).toBe('other');
    const found = await service.call('GET', `/v2/ips/${data.ip}`, { token });
    expect(found.headers['etag']).toBe(first.headers['etag']);
    expect((await ask('PUT', '/v2/ips', `${key}, anew`, data)).status).toBe(409);
  });

  it('are the same whatever the order of their members, the path and the token', async () => {
    const data = { name: 'Keyed', realm: `keyed-${next()}.example.com` };
    const path = `/v2/accounts/${RESELLER}`;
    const reseller = await service.tokenOf(2);
    const first = await ask('PUT', path, 'one', data, { token: reseller });
    expect(first.status).toBe(201);
    expect(first.headers['location']).toBe(
      `http://telcouch.test/v2/accounts/${first.body.data.id}`,
    );
    const { name, realm } = data;
    const later = await service.tokenOf(2);
    expect(later).not.toBe(reseller);
    const body = ` {"auth_token": "${later}",  "data": {"realm": "${realm}", "name": "${name}"}}`;
    const again = await callRaw(service.url, 'PUT', '/v2/account/', {
      body,
      headers: { 'idempotency-key': 'one' },
    });
    expectReplay(again, first);
  });

  it.each([
    ['body', '/v2/ips', { zone: 'another' }],
    ['query', '/v2/ips?dry_run=true', {}],
    ['query', '/v2/ips?pretty_print=true', {}],
  ])('are refused with another %s', async (_, path, change) => {
    const data = newIp();
    const key = `another ${data.ip}`;
    expect((await ask('PUT', '/v2/ips', key, data)).status).toBe(201);
    const body = { data: { ...data, ...change } };
    const headers = { 'idempotency-key': key };
    const answer = await service.call('PUT', path, { token, body, headers });
    const message = 'this Idempotency-Key was used for a request with another body or query';
    expect(answer.status).toBe(422);
    expect(answer.body).toEqual(failure(422, 'idempotency_key_reused', { message }));
  });

  it('stand each for one caller, method and path', async () => {
    const { ip } = newIp();
    const data = { ip, zone: 'keyed', host: 'keyed.example.com' };
    expect((await ask('PUT', '/v2/ips', 'shared', data)).status).toBe(201);
    const user = { username: `keyed-${next()}`, password: 'secret-1234', priv_level: 'admin' };
    const path = `/v2/accounts/${CUSTOMER}/users`;
    const fields = { first_name: 'K', last_name: 'K' };
    const answers = [
      await ask('PUT', path, 'shared', { ...fields, ...user }),
      await ask('PUT', path, 'shared', fields, { token: await service.tokenOf(3) }),
      await ask('PUT', path, 'shared', fields, { token: await service.tokenOf(2) }),
      await ask('POST', `/v2/accounts/${CUSTOMER}/ips`, 'shared', { ips: [ip] }),
      await ask('POST', `/v2/accounts/${CUSTOMER}/ips/${ip}`, 'shared'),
    ];
    expect(answers.map(({ status }) => status)).toEqual([201, 201, 201, 200, 400]);
    const replays = answers.map(({ headers }) => headers['idempotent-replay']);
    expect(replays).toEqual(answers.map(() => undefined));
  });

  it('get a refusal again that the request deserved, whatever has changed since', async () => {
    const data = newIp();
    expect((await ask('PUT', '/v2/ips', 'first', data)).status).toBe(201);
    const refused = await ask('PUT', '/v2/ips', 'second', data);
    expect(refused.status).toBe(409);
    expect((await service.call('DELETE', `/v2/ips/${data.ip}`, { token })).status).toBe(200);
    const again = await ask('PUT', '/v2/ips', 'second', data);
    expectReplay(again, refused);
    expect(again.headers).toMatchObject({
      'access-control-allow-headers': expect.stringContaining('idempotency-key'),
      'access-control-expose-headers': expect.stringContaining('idempotent-replay'),
    });
    const faulty = await ask('PUT', '/v2/ips', 'third', { ...data, ip: 'nonsense' });
    expect(faulty.status).toBe(400);
    expectReplay(await ask('PUT', '/v2/ips', 'third', { ...data, ip: 'nonsense' }), faulty);
  });

  it('run again after a refusal of the caller', async () => {
    const credentials = credentialsOf('late', 'secret-1234');
    const data = { credentials, account_name: 'Demo Customer' };
    expect((await ask('PUT', '/v2/user_auth', 'late', data)).status).toBe(401);
    await createUser(service, CUSTOMER, { username: 'late', password: 'secret-1234' });
    const answer = await ask('PUT', '/v2/user_auth', 'late', data);
    expect([answer.status, answer.headers['idempotent-replay']]).toEqual([201, undefined]);
  });

  it('sign in once: the repeat gets the same token, other credentials are refused', async () => {
    const data = { api_key: demoKey(2) };
    const first = await ask('PUT', '/v2/api_auth', 'sign-in', data, { token: '' });
    expect(first.status).toBe(201);
    expectReplay(await ask('PUT', '/v2/api_auth', 'sign-in', data, { token: '' }), first);
    const other = { api_key: demoKey(3) };
    expect((await ask('PUT', '/v2/api_auth', 'sign-in', other, { token: '' })).status).toBe(422);
  });

  it('leave nothing readable in the store: no token, no API key, no key of theirs', async () => {
    const signedIn = await ask('PUT', '/v2/api_auth', 'sealing-one', { api_key: demoKey(1) });
    const path = `/v2/accounts/${RESELLER}/api_key`;
    const issued = await ask('PUT', path, 'sealing-two', {});
    expect([signedIn.status, issued.status]).toEqual([201, 201]);
    expectReplay(await ask('PUT', path, 'sealing-two', {}), issued);
    const stored = await everythingStored(service);
    const apiKey = String(issued.body.data.api_key);
    expect(apiKey).toMatch(/^[0-9a-f]{64}$/);
    for (const secret of [signedIn.body.auth_token, apiKey, demoKey(1), 'sealing-']) {
      expect(stored.includes(secret)).toBe(false);
      const encoded = Buffer.from(secret).toString('base64').slice(4, -4);
      expect(stored.includes(encoded)).toBe(false);
    }
    const docs = await service.couch.database(databases.ops).listDocs({ limit: 1000 });
    const records = docs.filter(({ pvt_type }) => pvt_type === 'idempotency_key');
    for (const { _id, pvt_answer } of records) {
      expect(_id).toMatch(/^idempotency_key:[0-9a-f]{64}$/);
      for (const piece of pvt_answer as string[]) expect(service.keyring).toContain(kidOf(piece));
    }
  });

  it.each([
    ['none', ''],
    ['256 characters', 'k'.repeat(256)],
    ['other characters', 'schlüssel'],
    ['two of them', ['one', 'two']],
  ])('are refused with %s', async (_, key) => {
    const answer = await ask('PUT', '/v2/ips', key, newIp());
    const message = 'Idempotency-Key must be one text of 1 to 255 printable ASCII characters';
    expect(answer.status).toBe(400);
    expect(answer.body).toEqual(invalid({ 'Idempotency-Key': { invalid: { message } } }));
  });

  it('may have any printable key', async () => {
    for (const key of [`"${newIp().ip} / _ %2e%2e {} \\"`, '_design/x', 'k'.repeat(255)]) {
      const data = newIp();
      const first = await ask('PUT', '/v2/ips', key, data);
      expect(first.status).toBe(201);
      expectReplay(await ask('PUT', '/v2/ips', key, data), first);
    }
  });

  it('are PUT and POST alone, a POST that stands for another write among them', async () => {
    const data = newIp();
    const path = `/v2/ips/${data.ip}`;
    expect((await ask('PUT', '/v2/ips', 'verbs', data)).status).toBe(201);
    for (const key of ['any', '']) {
      const read = await ask('GET', path, key);
      expect([read.status, read.headers['idempotent-replay']]).toEqual([200, undefined]);
    }
    const removed = await ask('POST', `${path}?verb=DELETE`, 'tunnel');
    expect(removed.status).toBe(200);
    expectReplay(await ask('POST', `${path}?verb=DELETE`, 'tunnel'), removed);
    expect((await ask('DELETE', path, 'verbs')).status).toBe(404);
  });

  it('have one effect however many come at once', async () => {
    const data = newIp();
    const tries = Array.from({ length: 20 }, () => ask('PUT', '/v2/ips', 'at once', data));
    const answers = await Promise.all(tries);
    const first = answers.filter(
      ({ status, headers }) => status === 201 && headers['idempotent-replay'] === undefined,
    );
    expect(first).toHaveLength(1);
    const message = 'a request with this Idempotency-Key is under way';
    for (const answer of answers) {
      if (answer.status === 201) {
        expect(answer.text).toBe(first[0]?.text);
        continue;
      }
      expect(answer.status).toBe(409);
      expect(answer.body).toEqual(failure(409, 'idempotency_key_in_use', { message }));
      expect(answer.headers['retry-after']).toBe('1');
    }
  });

  it('fail when the kept answer was changed, instead of giving another one', async () => {
    const data = newIp();
    expect((await ask('PUT', '/v2/ips', 'changed', data)).status).toBe(201);
    const db = service.couch.database(databases.ops);
    const records = await db.listDocs({ limit: 1000 });
    const [one, other] = records
      .filter(({ pvt_state }) => pvt_state === 'done')
      .sort((a, b) => Number(b['pvt_expires_ms']) - Number(a['pvt_expires_ms']));
    if (one === undefined || other === undefined) throw new Error('two records are needed');
    await db.put({ ...one, pvt_answer: other['pvt_answer'] });
    const answer = await ask('PUT', '/v2/ips', 'changed', data);
    expect(answer.status).toBe(500);
    const fault = { message: 'unspecified fault', cause: one._id };
    expect(answer.body).toEqual(failure(500, 'unspecified_fault', fault));
  });

  it('are new ones after 24 hours, before the sweep and after it', async () => {
    const data = newIp();
    const first = await ask('PUT', '/v2/ips', 'a day', data);
    expect(first.status).toBe(201);
    const { dbPrefix, keyring } = service;
    const now = (ms: number) => () => Date.now() + ms;
    const options = { dbPrefix, keyring, isSecond: true };
    const before = await startTestService({ ...options, now: now(DAY_MS - 60_000) });
    const after = await startTestService({ ...options, now: now(DAY_MS + 1000) });
    const body = { data };
    const headers = { 'idempotency-key': 'a day' };
    const again = await before.call('PUT', '/v2/ips', {
      token: await before.tokenOf(1),
      body,
      headers,
    });
    expect([again.status, again.headers['idempotent-replay']]).toEqual([201, 'true']);
    const late = { token: await after.tokenOf(1), body, headers };
    const answer = await after.call('PUT', '/v2/ips', late);
    expect([answer.status, answer.headers['idempotent-replay']]).toEqual([409, undefined]);
    const replay = await after.call('PUT', '/v2/ips', late);
    expect([replay.status, replay.headers['idempotent-replay']]).toEqual([409, 'true']);

    const kept = async () => {
      const docs = await service.couch.database(databases.ops).listDocs({ limit: 1000 });
      return docs.filter(({ pvt_type }) => pvt_type === 'idempotency_key').length;
    };
    const all = await kept();
    expect(await service.services.refresh.idempotencyKeys()).toBe(0);
    expect(await after.services.refresh.idempotencyKeys()).toBe(all - 1);
    expect(await after.services.refresh.idempotencyKeys()).toBe(0);
    expect(await kept()).toBe(1);
    // A tombstone under the key's id is no obstacle.
    const anew = await ask('PUT', '/v2/ips', 'first', newIp());
    expect([anew.status, anew.body]).toEqual([201, success(expect.any(Object))]);
    await Promise.all([before.stop(), after.stop()]);
  });
});

function kidOf(sealed: string): string {
  const [version, kid = ''] = sealed.split('.');
  expect(version).toBe('v1');
  return kid;
}
