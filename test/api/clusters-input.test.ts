import { databases } from '../../src/couch/databases.js';
import { MASTER, startTestService, type TestService } from '../support/service.js';

const OWN = '8a901bea1d3297ef7d4c8d34809472c2';
const SANDBOX = 'aa2b36ac6a5edb290159cd1298283322';
const KEY = 'a-key-that-nobody-may-read-0123456789abcdef';

let service: TestService;
let token: string;
let count = 0;

const newClusterId = () => {
  count += 1;
  return count.toString(16).padStart(32, '0');
};
const body = (fields: object = {}) => ({
  data: {
    mvno_id: '2600hz_sandbox',
    api_url: 'https://kazoo.example.com:8443',
    api_key: KEY,
    hosted_billing_account_id: MASTER,
    ...fields,
  },
});
const put = (id: string, fields: object = {}) =>
  service.call('PUT', `/v2/support/clusters/${id}`, { token, body: body(fields) });
const stored = (id: string) => service.couch.database(databases.clusters).find(id);

beforeAll(async () => {
  service = await startTestService();
  token = await service.tokenOf(1);
});
afterAll(() => service.stop());

describe('a new cluster', () => {
  it('has all its faults told at once, and is not stored', async () => {
    const id = newClusterId();
    const wrong = {
      id: OWN,
      mvno_id: 'nobody',
      api_url: 'ftp://kazoo.example.com',
      api_key: 'with spaces in it',
      hosted_billing_account_id: 'C0FFEE',
      pvt_api_key: 'v1.k.x',
      name: 'a name',
    };
    const answer = await put(id, wrong);
    expect(answer.status).toBe(400);
    expect(answer.body.message).toBe('validation error');
    expect(answer.body.data).toEqual({
      id: { invalid: { message: 'must be the id in the path' } },
      mvno_id: { invalid: { message: 'there is no such MVNO', value: 'nobody' } },
      api_url: { invalid: { message: 'must be an http or https URL' } },
      api_key: { pattern: { message: expect.stringContaining('Failed to match pattern') } },
      hosted_billing_account_id: { pattern: expect.objectContaining({ value: 'C0FFEE' }) },
      pvt_api_key: { additionalProperties: expect.anything() },
      name: { additionalProperties: expect.anything() },
    });
    expect(await stored(id)).toBeUndefined();
  });

  it('without anything is told what is required', async () => {
    const answer = await service.call('PUT', `/v2/support/clusters/${newClusterId()}`, { token });
    expect(answer.status).toBe(400);
    expect(Object.keys(answer.body.data).sort()).toEqual(['api_key', 'api_url', 'mvno_id']);
  });

  it.each([
    'http://user:secret@kazoo.example.com',
    'http://kazoo.example.com@10.0.0.1',
    'http://kazoo.example.com/?x=1',
    'http://kazoo.example.com/#x',
    'http://kazoo.example.com/a b',
    'http:\\\\kazoo.example.com',
    'file:///etc/passwd',
    'kazoo.example.com',
    'http://',
    '',
    42,
    null,
    ['http://kazoo.example.com'],
  ])('is refused with %p as its address', async (apiUrl) => {
    const id = newClusterId();
    const answer = await put(id, { api_url: apiUrl });
    expect([answer.status, Object.keys(answer.body.data)]).toEqual([400, ['api_url']]);
    expect(JSON.stringify(answer.body)).not.toContain('secret');
    expect(await stored(id)).toBeUndefined();
  });

  it('is refused a key that was sealed already', async () => {
    const { body: shown } = await service.call('GET', `/v2/support/clusters/${SANDBOX}`, { token });
    const answer = await put(newClusterId(), { api_key: shown.data.api_key });
    expect(answer.body.data).toEqual({
      api_key: { invalid: { message: 'is a sealed text; send the key itself' } },
    });
  });

  it('leaves no trace of its key in any answer, log line or document', async () => {
    const id = newClusterId();
    const path = `/v2/support/clusters/${id}`;
    const attempts = [
      body({ mvno_id: 7 }),
      body({ api_key: [KEY] }),
      body({ api_key: { key: KEY } }),
      body({ api_key: `${KEY} with a space` }),
      { data: [{ api_key: KEY }] },
      { data: { api_keys: KEY } },
      { api_key: KEY, mvno_id: '2600hz' },
      `{"data":{"api_key":"${KEY}",}}`,
      body(),
      body(),
    ];
    const answers = [];
    for (const each of attempts) {
      answers.push(await service.call('PUT', `${path}?api_key=${KEY}`, { token, body: each }));
    }
    const statuses = answers.map(({ status }) => status);
    expect(statuses).toEqual([400, 400, 400, 400, 400, 400, 400, 400, 201, 409]);
    answers.push(await service.call('GET', path, { token }));
    answers.push(await service.call('DELETE', path, { token }));
    expect(JSON.stringify(answers.map((each) => each.body))).not.toContain(KEY);
    expect(service.logLines.join('\n')).not.toContain(KEY);
    for (const name of await service.couch.listDatabases('')) {
      const docs = await service.couch.database(name).listDocs({ limit: 1000 });
      expect(JSON.stringify(docs)).not.toContain(KEY);
    }
  });
});

describe('addresses where private ones are not allowed', () => {
  let strict: TestService;

  beforeAll(async () => {
    const { dbPrefix, keyring } = service;
    const support = { allowPrivateClusters: false };
    strict = await startTestService({ dbPrefix, keyring, isSecond: true, support });
  });
  afterAll(() => strict.stop());

  it.each([
    'http://127.0.0.1:8000',
    'http://127.1',
    'http://2130706433',
    'http://0x7f.0.0.1',
    'http://0.0.0.0',
    'http://10.1.2.3',
    'http://172.16.0.1',
    'http://192.168.1.1',
    'http://100.64.0.1',
    'http://169.254.169.254',
    'http://168.63.129.16',
    'http://[::1]',
    'http://[::]',
    'http://[fe80::1]',
    'http://[fc00::1]',
    'http://[fd00:ec2::254]',
    'http://[::ffff:10.0.0.1]',
    'http://[64:ff9b::7f00:1]',
    'http://[2002:7f00:1::]',
    'http://224.0.0.1',
    'http://localhost:8000',
    'https://LOCALHOST.',
    'https://kazoo.localhost',
  ])('%s is refused', async (apiUrl) => {
    const id = newClusterId();
    const sent = { token, body: body({ api_url: apiUrl }) };
    const answer = await strict.call('PUT', `/v2/support/clusters/${id}`, sent);
    expect([answer.status, answer.body.data]).toEqual([
      400,
      { api_url: { invalid: { message: 'must not have a private address' } } },
    ]);
  });

  it.each(['https://8.8.8.8', 'http://[2606:4700::1111]:8000/kazoo/', 'http://kazoo.example.com'])(
    '%s is taken',
    async (apiUrl) => {
      const sent = { token, body: body({ api_url: apiUrl }) };
      const answer = await strict.call('PUT', `/v2/support/clusters/${newClusterId()}`, sent);
      expect([answer.status, answer.body.data.api_url]).toEqual([201, apiUrl]);
    },
  );
});
