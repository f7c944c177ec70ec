import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createStartingApp } from '../../src/app.js';
import { databases } from '../../src/couch/databases.js';
import { createLog } from '../../src/log.js';
import {
  ADD,
  asJson,
  ask,
  CHECK,
  clear,
  DEL,
  expectPlain,
  failure,
  GET,
  multipart,
  networksOf,
  ONE,
} from '../support/platform.js';
import { callRaw, type RawAnswer, type RawCall } from '../support/raw-call.js';
import { startTestService, type TestService } from '../support/service.js';

const BASE = '/platform_api';
const NET = '203.0.113.0/24';

let service: TestService;

beforeAll(async () => {
  service = await startTestService();
});
afterAll(() => service.stop());
beforeEach(() => clear(service, ONE));

const send = (method: string, path: string, call: RawCall = {}): Promise<RawAnswer> =>
  callRaw(service.url, method, path, call);
const query = (fields: Record<string, string>) => String(new URLSearchParams(fields));

const add = { ...ONE, authorized_ip: NET };

describe('names of commands', () => {
  it.each([
    [`${BASE}`, 102],
    [`${BASE}/`, 102],
    [`${BASE}?cmd=`, 102],
    [`${BASE}/Add`, 103],
    [`${BASE}/addauthorizedaccountip`, 103],
    [`${BASE}/${ADD}/more`, 103],
    [`${BASE}/%`, 103],
    [`${BASE}/%zz/%`, 103],
    [`${BASE}/%00`, 103],
    [`${BASE}/..%2f..%2fv2`, 103],
    [`${BASE}/constructor`, 103],
    [`${BASE}/__proto__`, 103],
    [`${BASE}?cmd=hasOwnProperty`, 103],
    [`${BASE}/Logoff`, 103],
  ])('%s is error %i, with credentials and without', async (path, code) => {
    const wanted =
      code === 102
        ? failure(102, "Missing 'cmd' parameter", 'name the command in the path or in cmd')
        : failure(103, 'Unknown command', 'there is no such command');
    expectPlain(await send('GET', path), wanted);
    const joined = `${path}${path.includes('?') ? '&' : '?'}${query(ONE)}`;
    expectPlain(await send('GET', joined), wanted);
    expectPlain(await send('POST', joined, asJson({})), wanted);
  });

  it('are those of the path where cmd says another', async () => {
    const path = `${BASE}/${CHECK}?${query({ ...add, cmd: DEL })}`;
    expectPlain(await send('POST', path), { result: false });
  });

  it('may come with a whole URL as the target', async () => {
    const path = `http://elsewhere.test${BASE}/${CHECK}/?${query(add)}`;
    expectPlain(await send('GET', path), { result: false });
  });

  it('of other paths are not this surface', async () => {
    const answer = await send('GET', '/platform_apix/Logon');
    expect([answer.status, answer.body.error]).toEqual([404, '404']);
  });
});

describe('methods', () => {
  it.each(['PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND', 'LINK'])(
    '%s is refused, with those that are taken',
    async (method) => {
      const answer = await send(method, `${BASE}/${ADD}?${query(add)}`);
      expectPlain(answer, failure(101, 'Invalid arguments', 'use one of GET, POST'));
      expect(answer.headers['allow']).toBe('GET, POST');
      expect(await networksOf(service, ONE)).toEqual([]);
    },
  );

  it('HEAD is refused without a body, and changes nothing', async () => {
    const answer = await send('HEAD', `${BASE}/${ADD}?${query(add)}`);
    expect([answer.status, answer.text, answer.headers['allow']]).toEqual([200, '', 'GET, POST']);
    expect(await networksOf(service, ONE)).toEqual([]);
  });

  it('cannot be overridden by a header', async () => {
    const headers = { 'x-http-method-override': 'DELETE' };
    expectPlain(await send('GET', `${BASE}/${CHECK}?${query(add)}`, { headers }), {
      result: false,
    });
  });
});

describe('bodies that cannot be read', () => {
  const path = `${BASE}/${ADD}?${query(add)}`;
  const invalid = (details: string) => failure(101, 'Invalid arguments', details);
  const typed = (type: string, body: string | Buffer): RawCall => ({
    headers: { 'content-type': type },
    body,
  });
  const MALFORMED = 'the multipart body is malformed';
  const OTHER =
    'the body must be multipart/form-data, application/x-www-form-urlencoded or application/json';

  it.each([
    ['a form with parts without boundary', typed('multipart/form-data', '--x\r\n'), MALFORMED],
    ['parts without an end', typed('multipart/form-data; boundary=x', '--x\r\nA: b'), MALFORMED],
    [
      'parts cut in a value',
      typed(
        'multipart/form-data; boundary=x',
        '--x\r\nContent-Disposition: form-data; name="allowed"\r\n\r\nfal',
      ),
      MALFORMED,
    ],
    ['no parts at all', typed('multipart/form-data; boundary=x', 'rubbish'), MALFORMED],
    ['XML', typed('text/xml', '<a/>'), OTHER],
    ['plain text', typed('text/plain', 'allowed=false'), OTHER],
    ['a file', typed('application/octet-stream', Buffer.from([0, 1, 2])), OTHER],
    ['a type that is none', typed('x;y', 'allowed=false'), OTHER],
    ['the type of another surface', typed('application/vnd.api+json', '{}'), OTHER],
    ['JSON that is a list', asJson([add]), 'the body must be a JSON object'],
    ['JSON that is a text', asJson('x'), 'the body must be a JSON object'],
    ['JSON that is null', asJson(null), 'the body must be a JSON object'],
  ])('%s', async (_name, call, details) => {
    expectPlain(await send('POST', path, call), invalid(details));
    expect(await networksOf(service, ONE)).toEqual([]);
  });

  it('broken JSON is not quoted in the answer or in the log', async () => {
    const call = typed('application/json', '{"api_key": "very-secret-key", }');
    const { status, body, text } = await send('POST', `${BASE}/${ADD}`, call);
    expect([status, body.error.code]).toEqual([200, 101]);
    expect(body.error.details).toMatch(/^the body is no JSON: /);
    expect(text + service.logLines.join('')).not.toContain('very-secret');
  });

  it('an object in JSON is no parameter', async () => {
    for (const value of [{}, [], [NET], { a: 1 }]) {
      expectPlain(
        await send('POST', `${BASE}/${ADD}?${query(ONE)}`, asJson({ authorized_ip: value })),
        failure(
          320,
          "The 'authorized_ip' parameter is invalid",
          'the parameter must be a text, a number or a boolean',
        ),
      );
    }
  });

  it('deep JSON is refused', async () => {
    const call = typed('application/json', `${'{"a":'.repeat(5000)}1${'}'.repeat(5000)}`);
    expect((await send('POST', path, call)).body.error.code).toBe(101);
  });

  it('compressed ones are refused', async () => {
    const headers = {
      'content-type': 'application/x-www-form-urlencoded',
      'content-encoding': 'gzip',
    };
    const answer = await send('POST', path, { headers, body: Buffer.from([0x1f, 0x8b]) });
    expectPlain(answer, invalid('content-encoding gzip is not accepted'));
  });

  it.each([
    ['with a name', '; filename="x"'],
    ['by its type', '"\r\nContent-Type: application/octet-stream'],
  ])('a file among the parts, %s, is refused and not left out in silence', async (_name, more) => {
    const head = 'Content-Disposition: form-data; name="allowed';
    const part = more.startsWith(';') ? `${head}"${more}` : head + more;
    const body = `--x\r\n${part}\r\n\r\n${'false'.repeat(20_000)}\r\n--x--\r\n`;
    expectPlain(
      await send('POST', path, typed('multipart/form-data; boundary=x', body)),
      failure(
        496,
        "The 'allowed' parameter is invalid.",
        'the parameter must be a text, not a file',
      ),
    );
    expect(await networksOf(service, ONE)).toEqual([]);
  });

  it('a parameter over 16 KiB in parts is refused', async () => {
    const call = multipart({ ...ONE, authorized_ip: NET, description: 'd'.repeat(16_385) });
    expectPlain(
      await send('POST', `${BASE}/${ADD}`, call),
      failure(496, "The 'description' parameter is invalid.", 'the parameter is too long'),
    );
  });

  it.each([
    ['said in advance', (body: string): RawCall => typed('application/json', body)],
    [
      'in chunks',
      (body: string): RawCall => ({
        headers: { 'content-type': 'application/json', 'transfer-encoding': 'chunked' },
        body,
      }),
    ],
  ])('over 1 MiB, %s, is too large and ends the connection', async (_name, callOf) => {
    const body = JSON.stringify({ ...add, description: 'd'.repeat(1024 * 1024) });
    const answer = await send('POST', BASE, callOf(body));
    expectPlain(answer, invalid('Payload or Files must not be more than 1048576 bytes'));
    expect(answer.headers['connection']).toBe('close');
    expect(await networksOf(service, ONE)).toEqual([]);
  });
});

describe('answers', () => {
  it('repeat a usable X-Request-ID, which the document keeps', async () => {
    const headers = { 'x-request-id': 'from-a-client' };
    const answer = await ask(service, ADD, add, headers);
    expect(answer.headers['x-request-id']).toBe('from-a-client');
    const db = service.couch.database(databases.authorizedIps);
    const [doc] = await db.listDocs({ startId: '', endId: '\ufff0', limit: 2 });
    expect(doc).toMatchObject({
      pvt_request_id: 'from-a-client',
      pvt_type: 'authorized_ip',
      authorized_ip: NET,
      allowed: true,
    });
  });
});

describe('a service that starts', () => {
  it('refuses in the words of this surface, whatever is asked', async () => {
    const app = createStartingApp({
      log: createLog({ level: 'error', stream: process.stderr }),
      metrics: undefined,
      trustProxy: [],
      requestTimeoutMs: 1000,
    });
    const server = createServer(app);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    try {
      for (const [method, path, call] of [
        ['GET', `${BASE}/${GET}/?${query(ONE)}`, {}],
        ['POST', BASE, multipart({ cmd: ADD, ...add })],
        ['PUT', `${BASE}/nothing`, {}],
        ['GET', BASE, {}],
      ] as const) {
        const answer = await callRaw(url, method, path, call);
        expectPlain(answer, failure(2, 'Internal error', 'the service is starting'));
        expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
      }
    } finally {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  });
});
