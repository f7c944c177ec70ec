import { createApiDocument } from '../../src/api-document.js';
import { createRoutes } from '../../src/routes.js';
import { type CheckAnswer, createCheckAnswer } from '../support/api-contract.js';
import { noSuch } from '../support/envelope.js';
import { callRaw, type RawAnswer } from '../support/raw-call.js';
import { type RecordingProxy, startRecordingProxy } from '../support/recording-proxy.js';
import { CUSTOMER, startTestService, type TestService } from '../support/service.js';

/** What a path segment may look like on the wire when somebody means harm. */
const HOSTILE = [
  '..',
  '.',
  '...',
  '%2e%2e',
  '%2e',
  '.%2e',
  '%252e%252e',
  '..%2f..',
  '..%2f..%2f_users%2f_all_docs',
  '..%5c..',
  '%2e%2e%2f%2e%2e%2f_all_dbs',
  '_all_docs',
  '_all_dbs',
  '_changes',
  '_security',
  '_users',
  '_design%2fdedicated_ips',
  '_design%2f..%2f..%2f_users%2f_all_docs',
  '_design/dedicated_ips',
  '_local%2fx',
  '_local/x',
  'x_local%2f..%2f..%2fother',
  '%5fall_docs',
  '%2f',
  '%2f%2f',
  'a%2fb',
  '%5c',
  '\\',
  '%3fkey=1',
  '%23fragment',
  '1.2.3.4%3frev=1-x',
  '1.2.3.4%23',
  '1.2.3.4%2f',
  '1.2.3.4%00',
  '%00',
  '%0d%0aX-Injected:%201',
  '%7f',
  '%',
  '%zz',
  '%e0%a4%a',
  '%c3%28',
  '%ed%a0%80',
  '%f0%9f%92%a9',
  '%e2%80%ae1.2.3.4',
  '%ef%bc%91.2.3.4',
  '1%e3%80%822.3.4',
  '010.0.0.1',
  '01.2.3.4',
  '1.2.3',
  '1.2',
  '0x7f.1',
  '0x01020304',
  '2130706433',
  '16909060',
  '017700000001',
  '1.2.3.4.5',
  '256.1.1.1',
  '1.2.3.4%20',
  '%201.2.3.4',
  '1.2.3.4%0a',
  '+1.2.3.4',
  '1.2.3.4:80',
  '1.2.3.4%2f32',
  'fe80::1%25eth0',
  'fe80::1%25',
  '::ffff:203.0.113.9',
  '::ffff:cb00:7109',
  '0:0:0:0:0:ffff:203.0.113.9',
  '::ffff:01.2.3.4',
  '::ffff:0x1.2.3.4',
  '::1.2.3',
  '[::1]',
  ':::',
  '1::2::3',
  '12345::',
  '2001:db8::/32',
  '__proto__',
  'constructor',
  'hasOwnProperty',
  'null',
  'undefined',
  '%22',
  '%7b%22$gt%22:null%7d',
  '*',
  '-',
  '%20',
  'x'.repeat(4096),
  '%2e%2e%2f'.repeat(400),
  '%f0%9f%92%a9'.repeat(300),
  'f'.repeat(32),
  '.'.repeat(32),
  `${'../'.repeat(10)}ab`,
  `..%2f${'a'.repeat(29)}`,
  'C0FFEE00000000000000000000000003',
  'c0ffee0000000000000000000000000%33%00',
];

const GOOD: Readonly<Record<string, string>> = {
  account_id: CUSTOMER,
  ip: '1.2.3.4',
  user_id: 'c0ffee000000000000000000000000a1',
  schema_name: 'ips',
  auth_token: 'x',
};

/** Every path with parameters, one of them hostile and the others good. */
function hostilePaths(declared: string, value: string): string[] {
  const names = [...declared.matchAll(/\{(\w+)\}/g)].map(([, name]) => String(name));
  return names.map((hostile) =>
    declared.replace(/\{(\w+)\}/g, (_whole, name: string) =>
      name === hostile ? value : (GOOD[name] ?? 'x'),
    ),
  );
}

/** A segment as the service reads it; none when it cannot be read. */
function decodeOrNothing(value: string): string[] {
  try {
    return [decodeURIComponent(value)];
  } catch {
    return [];
  }
}

describe('hostile path segments', () => {
  let proxy: RecordingProxy;
  let service: TestService;
  let token: string;
  let check: CheckAnswer;

  beforeAll(async () => {
    proxy = await startRecordingProxy();
    service = await startTestService({ couchUrl: proxy.url });
    token = await service.tokenOf(1);
    check = createCheckAnswer(createApiDocument(listRoutes(), [], 'test'));
    proxy.clear();
  });
  afterAll(async () => {
    await service.stop();
    await proxy.close();
  });

  function listRoutes() {
    return createRoutes(service.services, Date.now);
  }

  async function askAll(value: string, method: string, declared: string): Promise<string[]> {
    const faults: string[] = [];
    for (const path of hostilePaths(declared, value)) {
      const asked = { token, ...(method === 'GET' ? {} : { body: '{"data":{}}' }) };
      const answer: RawAnswer = await callRaw(service.url, method, `/v2${path}`, asked);
      const what = `${method} ${path.slice(0, 120)}: ${answer.status} ${answer.text.slice(0, 200)}`;
      // Digits may be a phone number or a device, about which there is no carrier to ask here.
      const isAway = /^\d+$/.test(value) && answer.text.includes('"carrier_unavailable"');
      if ((answer.status < 400 || answer.status > 499) && !isAway) faults.push(what);
      if (answer.headers['x-injected'] !== undefined) faults.push(`header injected by ${what}`);
      check(method, `/v2${path}`, { status: answer.status, body: answer.body });
    }
    return faults;
  }

  it('are refused on every route and never reach the store as anything but ids', async () => {
    const routes = listRoutes().filter(({ path }) => path.includes('{'));
    expect(routes.length).toBeGreaterThan(25);
    const faults: string[] = [];
    for (const { method, path } of routes) {
      for (const value of HOSTILE) faults.push(...(await askAll(value, method, path)));
    }
    expect(faults).toEqual([]);
    expect(proxy.listStrays(service.dbPrefix)).toEqual([]);
    expect(proxy.requests.length).toBeGreaterThan(0);
  }, 120_000);

  it('that no document can have as its id are answered as any absent one', async () => {
    for (const [segment, id] of [
      ['_all_docs', '_all_docs'],
      ['%2e%2e', '..'],
      ['_design%2fx', '_design/x'],
      ['absent', 'absent'],
    ] as const) {
      const path = `/v2/accounts/${CUSTOMER}/users/${segment}`;
      const answer = await callRaw(service.url, 'GET', path, { token });
      expect(answer.status).toBe(404);
      expect(answer.body).toEqual(noSuch(id));
    }
  });

  it('are refused without a token as well, and the store hears of accounts only', async () => {
    proxy.clear();
    const faults: string[] = [];
    for (const value of HOSTILE) {
      for (const path of [`/v2/ips/${value}`, `/v2/accounts/${value}/ips`, `/v2/${value}`]) {
        const answer = await callRaw(service.url, 'GET', path);
        check('GET', path, { status: answer.status, body: answer.body });
        if (![401, 404].includes(answer.status)) faults.push(`${path}: ${answer.status}`);
      }
    }
    expect(faults).toEqual([]);
    expect(proxy.listStrays(service.dbPrefix)).toEqual([]);
    const ofPool = proxy.requests.filter(({ url }) => url.includes('dedicated_ips'));
    expect(ofPool).toEqual([]);
  });

  it('are no addresses in bodies either: each is named, nothing is written', async () => {
    proxy.clear();
    const decoded = HOSTILE.flatMap((value) => decodeOrNothing(value));
    const bad = decoded.filter((value) => value !== '' && !/^[0:]*:ffff:/.test(value));
    const body = { data: { ips: ['1.2.3.4', ...bad] } };
    const path = `/v2/accounts/${CUSTOMER}/ips`;
    for (const method of ['POST', 'DELETE']) {
      const answer = await service.call(method, path, { token, body });
      expect(answer.status).toBe(400);
      expect(answer.body.data).toEqual(
        Object.fromEntries(
          bad.map((value, n) => [
            `ips.${n + 1}`,
            { not_one_schema_valid: { message: 'failed to validate', value } },
          ]),
        ),
      );
    }
    for (const ip of bad) {
      const fields = { ip, zone: 'z', host: 'h' };
      const answer = await service.call('PUT', '/v2/ips', { token, body: { data: fields } });
      expect([ip, answer.status, answer.body.data]).toEqual([
        ip,
        400,
        { ip: { not_one_schema_valid: { message: 'failed to validate', value: ip } } },
      ]);
    }
    const writes = proxy.requests.filter(
      ({ method, url }) => method === 'PUT' || /_bulk/.test(url),
    );
    expect(writes).toEqual([]);
  });

  it('are 404 or an empty list as zones, which are text and nothing else', async () => {
    proxy.clear();
    for (const value of HOSTILE) {
      if (decodeOrNothing(value).length === 0 || /[?#\\ ]/.test(value)) continue;
      const path = `/v2/accounts/${CUSTOMER}/ips?quantity=3&zone=${value}`;
      const answer = await callRaw(service.url, 'GET', path, { token });
      const seen = [value.slice(0, 40), answer.status, answer.body.data];
      const text = decodeURIComponent(value);
      if (text.length <= 256) expect(seen).toEqual([value.slice(0, 40), 200, []]);
      else expect(answer.body.data.zone.maxLength.target).toBe(256);
    }
    expect(proxy.listStrays(service.dbPrefix)).toEqual([]);
  });
});
