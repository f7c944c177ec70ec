import { connect } from 'node:net';
import {
  ADD,
  asJson,
  bodyOf,
  CHECK,
  clear,
  DEL,
  expectPlain,
  failure,
  GET,
  multipart,
  networksOf,
  ONE,
  urlencoded,
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

/** One Add in each form of reference A2, of a network into the black list. */
const add = { ...ONE, authorized_ip: NET };
const { account_id: _id, ...withoutId } = add;
const forms: readonly (readonly [string, string, string, RawCall])[] = [
  ['the page: GET, slash', 'GET', `${BASE}/${ADD}/?${query({ ...add, allowed: 'false' })}`, {}],
  ['GET without slash', 'GET', `${BASE}/${ADD}?${query({ ...add, allowed: 'false' })}`, {}],
  ['GET with cmd', 'GET', `${BASE}?${query({ cmd: ADD, ...add, allowed: 'false' })}`, {}],
  ['GET with cmd, slash', 'GET', `${BASE}/?${query({ ...add, cmd: ADD, allowed: 'false' })}`, {}],
  [
    'node SDK: chunked parts, cmd first',
    'POST',
    BASE,
    multipart({ cmd: ADD, authorized_ip: NET, allowed: 'false', ...ONE }),
  ],
  [
    'python SDK: form with cmd, False',
    'POST',
    BASE,
    urlencoded({ ...add, cmd: ADD, allowed: 'False' }),
  ],
  ['php SDK: parts, path', 'POST', `${BASE}/${ADD}`, multipart({ ...add, allowed: 'false' })],
  [
    'go SDK: parts, path, an empty one',
    'POST',
    `${BASE}/${ADD}`,
    multipart({ ...add, contains_ip: '', description: '', allowed: 'false' }),
  ],
  [
    'java SDK: parts, account_id among them',
    'POST',
    `${BASE}/${ADD}`,
    multipart({ ...withoutId, allowed: 'false', account_id: '1' }),
  ],
  [
    'dotnet SDK: parts, path and cmd, 0',
    'POST',
    `${BASE}/${ADD}`,
    multipart({ cmd: ADD, ...add, allowed: '0' }),
  ],
  [
    'docs: JSON {} with query',
    'POST',
    `${BASE}/${ADD}?${query({ ...add, allowed: 'false' })}`,
    asJson({}),
  ],
  ['JSON alone', 'POST', BASE, asJson({ ...add, cmd: ADD, account_id: 1, allowed: false })],
  [
    'JSON with a charset',
    'POST',
    `${BASE}/${ADD}/`,
    {
      ...asJson({ ...add, allowed: 0, description: null }),
      headers: { 'content-type': 'application/json; charset=utf-8' },
    },
  ],
  [
    'a form without content type',
    'POST',
    `${BASE}/${ADD}`,
    { body: query({ ...add, allowed: 'FALSE' }) },
  ],
  [
    'POST with nothing in its body',
    'POST',
    `${BASE}/${ADD}/?${query({ ...add, allowed: 'false' })}`,
    { body: '' },
  ],
  [
    'half in the query, half in the body',
    'POST',
    `${BASE}/${ADD}?${query(ONE)}`,
    urlencoded({ authorized_ip: NET, allowed: 'false' }),
  ],
];

describe('a command comes in every form that clients send', () => {
  it.each(forms)('%s', async (_name, method, path, call) => {
    expectPlain(await send(method, path, call), { result: 1 });
    expect(await networksOf(service, ONE)).toEqual([`${NET} false`]);
  });

  it.each([
    ['true', 'true'],
    ['True', 'true'],
    ['TRUE', 'true'],
    ['1', 'true'],
    ['', 'true'],
    ['False', 'false'],
    ['0', 'false'],
  ])('takes allowed=%j for %s', async (text, list) => {
    expect(await bodyOf(service, ADD, { ...add, allowed: text })).toEqual({ result: 1 });
    expect(await networksOf(service, ONE)).toEqual([`${NET} ${list}`]);
  });

  it.each(['yes', 'on', '2', 'tru', ' true', 'null', '-1'])(
    'takes allowed=%j for no boolean',
    async (text) => {
      expect(await bodyOf(service, ADD, { ...add, allowed: text })).toEqual(
        failure(496, "The 'allowed' parameter is invalid.", 'must be true or false'),
      );
      expect(await networksOf(service, ONE)).toEqual([]);
    },
  );

  it('finds parts that come in pieces', async () => {
    const { body, headers } = multipart({ cmd: CHECK, authorized_ip: NET, ...ONE });
    const answer = await new Promise<string>((resolve, reject) => {
      const socket = connect(Number(new URL(service.url).port), '127.0.0.1');
      const chunks: string[] = [];
      socket.on('data', (chunk) => chunks.push(String(chunk)));
      socket.on('error', reject);
      socket.on('close', () => resolve(chunks.join('')));
      const head = Object.entries(headers ?? {}).map(([name, value]) => `${name}: ${value}`);
      socket.write(
        `POST ${BASE} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${head.join('\r\n')}\r\n\r\n`,
      );
      for (const piece of String(body).match(/[\s\S]{1,7}/g) ?? []) {
        socket.write(`${piece.length.toString(16)}\r\n${piece}\r\n`);
      }
      socket.write('0\r\n\r\n');
    });
    expect(answer).toContain('HTTP/1.1 200 OK');
    expect(answer).toContain('{"result":false}');
  });
});

describe('parameters', () => {
  it('are those of the body where query and body differ', async () => {
    const path = `${BASE}/${ADD}?${query({ ...ONE, authorized_ip: '10.0.0.0/8' })}`;
    expectPlain(await send('POST', path, urlencoded({ authorized_ip: NET })), { result: 1 });
    expect(await networksOf(service, ONE)).toEqual([`${NET} true`]);
  });

  it('that are empty in the body leave those of the query alone', async () => {
    const path = `${BASE}/${ADD}?${query({ ...ONE, authorized_ip: NET, cmd: '' })}`;
    expectPlain(await send('POST', path, urlencoded({ authorized_ip: '' })), { result: 1 });
    expect(await networksOf(service, ONE)).toEqual([`${NET} true`]);
  });

  it('may be there twice when they say the same, and not otherwise', async () => {
    const twice = (other: string) =>
      send('GET', `${BASE}/${ADD}?${query({ ...add })}&authorized_ip=${other}`);
    expectPlain(await twice(encodeURIComponent(NET)), { result: 1 });
    expectPlain(
      await twice('10.0.0.1'),
      failure(320, "The 'authorized_ip' parameter is invalid", 'the parameter is given twice'),
    );
    expectPlain(
      await send('GET', `${BASE}/${GET}?${query(ONE)}&count=1&count=2`),
      failure(496, "The 'count' parameter is invalid.", 'the parameter is given twice'),
    );
  });

  it('that are empty count as absent beside the same one with a value', async () => {
    const path = `${BASE}/${ADD}?authorized_ip=&${query(add)}&authorized_ip=`;
    expectPlain(await send('GET', path), { result: 1 });
  });

  it('that are missing are named', async () => {
    const missing = failure(485, "Specify the 'authorized_ip' parameter.");
    for (const command of [ADD, CHECK]) {
      expect(await bodyOf(service, command, ONE)).toEqual(missing);
      expect(await bodyOf(service, command, { ...ONE, authorized_ip: '' })).toEqual(missing);
    }
    expect(await bodyOf(service, DEL, { ...ONE, authorized_ip: '', contains_ip: '' })).toEqual(
      failure(101, 'Invalid arguments', 'give one of authorized_ip and contains_ip'),
    );
  });

  it('are all named that are wrong', async () => {
    const fields = { ...ONE, authorized_ip: 'x', contains_ip: 'y', count: 'z', offset: '-1' };
    const { error, errors } = await bodyOf(service, GET, fields);
    expect(error).toEqual(errors[0]);
    expect(errors.map(({ code }: { code: number }) => code)).toEqual([320, 322, 496, 496]);
  });

  it('that nobody knows are ignored, whatever their names', async () => {
    const path = `${BASE}/${ADD}?${query(add)}&__proto__=1&constructor=2&toString=3&_=4&a[b]=5`;
    expectPlain(await send('GET', path), { result: 1 });
    const body = `{"__proto__":"x","constructor":"y","cmd":"${CHECK}","authorized_ip":"1.2.3.4"}`;
    const json = { headers: { 'content-type': 'application/json' }, body };
    expectPlain(await send('POST', `${BASE}?${query(ONE)}`, json), { result: false });
    const parts = multipart({
      ...ONE,
      __proto__x: '1',
      ['__proto__']: '2',
      cmd: CHECK,
      hasOwn: '',
    });
    expectPlain(
      await send('POST', BASE, parts),
      failure(485, "Specify the 'authorized_ip' parameter."),
    );
  });

  it('are a hundred at most', async () => {
    const many = Array.from({ length: 101 }, (_, n) => [`p${n}`, '1'] as const);
    const tooMany = failure(101, 'Invalid arguments', 'a call has at most 100 parameters');
    expectPlain(
      await send('GET', `${BASE}/${ADD}?${new URLSearchParams([...many] as never)}`),
      tooMany,
    );
    expectPlain(await send('POST', `${BASE}/${ADD}`, multipart(many)), tooMany);
    expectPlain(await send('POST', BASE, asJson(Object.fromEntries(many))), tooMany);
  });
});
