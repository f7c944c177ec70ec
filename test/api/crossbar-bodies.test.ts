import { gzipSync } from 'node:zlib';
import { failure, invalid, success } from '../support/envelope.js';
import { callRaw } from '../support/raw-call.js';
import { CUSTOMER, startTestService, type TestService } from '../support/service.js';

const MIB = 1024 * 1024;
const ips = `/v2/accounts/${CUSTOMER}/ips`;

function nested(depth: number): string {
  return `${'['.repeat(depth)}${']'.repeat(depth)}`;
}

/** A list that names one free address; everything around it is the test's affair. */
const LIST = '"data": {"ips": ["1.2.3.4"]}';

describe('request bodies', () => {
  let service: TestService;
  let token: string;

  beforeAll(async () => {
    service = await startTestService();
    token = await service.tokenOf(3);
  });
  afterEach(async () => {
    await callRaw(service.url, 'DELETE', `${ips}/1.2.3.4`, { token });
  });
  afterAll(() => service.stop());

  const post = (body: string | Buffer, headers: Record<string, string> = {}) =>
    callRaw(service.url, 'POST', ips, { token, body, headers });

  function expectAssigned(answer: { status: number; body: unknown }): void {
    expect(answer.status).toBe(200);
    const held = { '1.2.3.4': expect.objectContaining({ assigned_to: CUSTOMER }) };
    expect(answer.body).toEqual(success({ success: held, error: {} }));
  }

  function expectFault(answer: { status: number; body: unknown }, message: unknown): void {
    expect(answer.status).toBe(400);
    const faults = { json: { invalid: { message, target: 'body' } } };
    expect(answer.body).toEqual(invalid(faults, 'token'));
  }

  it.each([
    'application/json',
    'application/json; charset=utf-8',
    'application/x-www-form-urlencoded',
    'text/plain',
    'application/xml',
    'multipart/form-data; boundary=x',
    'application/octet-stream',
    'nonsense',
  ])('are JSON, whatever the content type says: %s', async (type) => {
    expectAssigned(await post(`{${LIST}}`, { 'content-type': type }));
  });

  it('are JSON without any content type, and behind a byte order mark', async () => {
    expectAssigned(await post(`{${LIST}}`));
    await callRaw(service.url, 'DELETE', `${ips}/1.2.3.4`, { token });
    expectAssigned(await post(`\ufeff{${LIST}}`));
  });

  it.each([
    '{"DATA": {"ips": ["1.2.3.4"]}}',
    '{"Data": {"ips": ["1.2.3.4"]}, "Pretty-Print": false}',
    '{"data": {"ips": ["1.2.3.4"], "Ips": [], "other": {"a": [1, null]}}, "unknown": 1}',
    ' \n\t{"data":\n{"ips"\n:["1.2.3.4"]}}\n ',
  ])('have top-level names in any case, and may hold what nobody reads: %s', async (body) => {
    expectAssigned(await post(body));
  });

  it('have names inside data as they are: the case counts there', async () => {
    const answer = await post('{"data": {"IPS": ["foo"], "Ips": ["1.2.3.4"]}}');
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual(success({ success: {}, error: {} }));
  });

  it.each([
    ['{"data":', 'malformed JSON around 8'],
    ['{"data": {"ips": [}}', 'malformed JSON'],
    ["{'data': 1}", 'malformed JSON around 1'],
    ['data=1&ips=1.2.3.4', 'malformed JSON'],
    ['undefined', 'malformed JSON'],
    ['{"data": NaN}', 'malformed JSON'],
    ['{"data": {}}{"data": {}}', 'malformed JSON around 12'],
    ['{"data": {"a": 1e999}}', 'number out of range'],
    ['{"data": {"a": "\\ud800"}}', 'unpaired surrogate in a string'],
    ['[]', 'All JSON must be valid'],
    ['"data"', 'All JSON must be valid'],
    ['null', 'All JSON must be valid'],
    ['5', 'All JSON must be valid'],
  ])('that are no envelope are 400: %s', async (body, message) => {
    expectFault(await post(body), message);
  });

  it('that are not UTF-8 are 400', async () => {
    const body = Buffer.concat([Buffer.from('{"data": {"a": "'), Buffer.from([0xc3, 0x28])]);
    expectFault(await post(body), 'text is not UTF-8');
  });

  it('say nothing of their content when they are refused: it may be a password', async () => {
    const answer = await post('{"data": {"password": "hunter2"hunter2}}');
    expect(answer.status).toBe(400);
    expect(answer.text).not.toContain('hunter2');
  });

  it.each(['{}', '{"ips": ["1.2.3.4"]}', '{"verb": "post", "Auth-Token2": "x"}'])(
    'without data are 400, and the answer shows the envelope: %s',
    async (body) => {
      const answer = await post(body);
      expect(answer.status).toBe(400);
      const envelope = Object.fromEntries(
        Object.entries(JSON.parse(body)).map(([name, value]) => [
          name.toLowerCase().replace('-', '_'),
          value,
        ]),
      );
      const message = 'Field is required but missing';
      expect(answer.body).toEqual(
        invalid({ data: { required: { message, value: envelope } } }, 'token'),
      );
    },
  );

  it('are refused before the caller is: the token is not looked at', async () => {
    for (const body of ['{}', '{"data": 5}']) {
      const answer = await callRaw(service.url, 'POST', ips, { body });
      expect(answer.status).toBe(400);
      expect(answer.body.message).toBe('validation error');
    }
  });

  it.each([null, 5, 'text', true])('whose data is %p are 400', async (value) => {
    const answer = await post(JSON.stringify({ data: value }));
    expect(answer.status).toBe(400);
    const target = 'object, array';
    const message = `Value did not match type(s): ${target}`;
    expect(answer.body).toEqual(invalid({ data: { type: { message, target, value } } }, 'token'));
  });

  it('whose data is a list are 400 where an object is wanted', async () => {
    const answer = await post('{"data": ["1.2.3.4"]}');
    expect(answer.status).toBe(400);
    expect(answer.body.message).toBe('validation error');
  });

  it.each(['', ' ', '\r\n'])('that are empty (%j) are an empty envelope', async (body) => {
    const answer = await post(body);
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual(success({ success: {}, error: {} }));
  });

  it('may nest 64 levels and no more', async () => {
    const at = (depth: number) => `{"data": {"ips": ["1.2.3.4"], "x": ${nested(depth - 2)}}}`;
    expectAssigned(await post(at(64)));
    expectFault(await post(at(65)), 'nested over 64 levels around 97');
    const abyss = `{"data": ${nested(200_000)}}`;
    expectFault(await post(abyss), 'nested over 64 levels around 72');
    expectFault(
      await post(`{"data": ${'{"a":'.repeat(100_000)}`),
      expect.stringMatching(/^nested/),
    );
  });

  it('may have 1 MiB and no more', async () => {
    const text = `{${LIST}, "x": ""}`;
    const fill = (size: number) => text.replace('""', `"${'x'.repeat(size - text.length)}"`);
    expectAssigned(await post(fill(MIB)));
    const message = 'Payload or Files must not be more than 1048576 bytes';
    const data = { file: { maxSize: { message, target: MIB } } };
    for (const [body, headers] of [
      [fill(MIB + 1), {}],
      [fill(1.5 * MIB), { 'transfer-encoding': 'chunked' }],
      [fill(1.5 * MIB), { 'content-type': 'multipart/form-data; boundary=x' }],
    ] as const) {
      const { status, ...answer } = await post(body, headers);
      expect(status).toBe(413);
      expect(answer.body).toEqual(failure(413, 'validation error', data, 'token'));
      expect(answer.headers['connection']).toBe('close');
    }
    const anonymous = await callRaw(service.url, 'POST', '/v2/nothing', {
      headers: { 'content-length': String(3 * MIB) },
    });
    expect(anonymous.status).toBe(413);
    expect(anonymous.body).toEqual(failure(413, 'validation error', data, 'nobody'));
  });

  it('that are compressed are 415: their size could not be known', async () => {
    for (const encoding of ['gzip', 'deflate', 'br']) {
      const body = gzipSync(`{${LIST}}`);
      const answer = await post(body, { 'content-encoding': encoding });
      expect(answer.status).toBe(415);
      const data = { message: `content-encoding ${encoding} is not accepted` };
      expect(answer.body).toEqual(failure(415, 'unsupported_media_type', data, 'token'));
    }
    expectAssigned(await post(`{${LIST}}`, { 'content-encoding': 'identity' }));
  });

  it('of requests that need none are read for control values only', async () => {
    const body = '{"data": {"quantity": 7, "zone": "us-west"}}';
    const listed = await callRaw(service.url, 'GET', ips, { token, body });
    expect(listed.body.data).toHaveLength(1);
    await callRaw(service.url, 'POST', `${ips}/1.2.3.4`, { token, body: '{"other": 1}' });
    const bare = await callRaw(service.url, 'DELETE', `${ips}/1.2.3.4`, { token, body: '{}' });
    expect(bare.status).toBe(200);
    expect(Object.keys(bare.body.data.success)).toEqual(['1.2.3.4']);
  });
});
