import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import type { Carrier } from '../../src/core/carrier.js';
import { errorOf, readWhole } from './driver-contract.js';
import { openCarrier } from './own-carrier.js';

const MDN = '+14157487153';
const KEY = 'the-key-of-this-carrier-0123456789';
const JSON_TYPE = { 'content-type': 'application/json' };
const TIMEOUT_MS = 800;

/** A carrier that answers whatever a test wants. */
let answer: (request: IncomingMessage, response: ServerResponse) => void;
let requests: { url: string; key: unknown }[] = [];
let server: Server;
let carrier: Carrier;
let close: () => Promise<void>;

beforeAll(async () => {
  server = createServer((request, response) => {
    requests.push({ url: request.url ?? '', key: request.headers['x-api-key'] });
    answer(request, response);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}/some/base/`;
  ({ carrier, close } = await openCarrier({ url, apiKey: KEY, timeoutMs: TIMEOUT_MS }));
});
afterAll(async () => {
  await close?.();
  server?.closeAllConnections();
  await new Promise((resolve) => server?.close(resolve));
});
beforeEach(() => {
  requests = [];
});

function answering(status: number, headers: Record<string, string>, body: string | Buffer): void {
  answer = (_request, response) => {
    response.writeHead(status, headers);
    response.end(body);
  };
}

function lineWith(members: object): string {
  return JSON.stringify({ line: { mdn: MDN, ...members } });
}

test('the base of the URL and the key are used as they are given', async () => {
  answering(200, JSON_TYPE, lineWith({}));
  await carrier.lookup({ mdn: MDN });
  expect(requests).toEqual([{ url: '/some/base/v1/lines?mdn=%2B14157487153', key: KEY }]);
});

test('a line is taken in the spelling of the carrier, without what nobody knows', async () => {
  answering(
    200,
    { 'content-type': 'application/json; charset=utf-8' },
    JSON.stringify({ line: { mdn: '(415) 748-7153', esn: null, balance: 12 }, more: 1 }),
  );
  await expect(carrier.lookup({ mdn: MDN })).resolves.toEqual({
    mdn: '(415) 748-7153',
    esn: null,
    sim: null,
    imsi: null,
    plan: null,
    features: [],
    carrierData: {},
    activationDate: null,
    suspended: false,
  });
});

describe('an answer to a look-up that is no line is a bad answer:', () => {
  test.each([
    ['an empty object', 200, JSON_TYPE, '{}'],
    ['an empty body', 200, JSON_TYPE, ''],
    ['no content', 204, JSON_TYPE, ''],
    ['null', 200, JSON_TYPE, 'null'],
    ['a list', 200, JSON_TYPE, '[]'],
    ['no line', 200, JSON_TYPE, '{"line":null}'],
    ['a number for a number', 200, JSON_TYPE, '{"line":{"mdn":14157487153}}'],
    ['no number at all', 200, JSON_TYPE, '{"line":{"esn":"A10000009296F2"}}'],
    ['a number that is none', 200, JSON_TYPE, '{"line":{"mdn":"anonymous"}}'],
    ['an endless number', 200, JSON_TYPE, lineWith({ esn: 'A'.repeat(65) })],
    ['features that are no list', 200, JSON_TYPE, lineWith({ features: 'sip' })],
    ['a thousand features', 200, JSON_TYPE, lineWith({ features: Array(1000).fill('sip') })],
    ['data of another kind', 200, JSON_TYPE, lineWith({ carrier_data: { a: { b: 1 } } })],
    ['a date before all dates', 200, JSON_TYPE, lineWith({ activation_date: -1 })],
    ['too deep', 200, JSON_TYPE, `{"line":${'['.repeat(500)}${']'.repeat(500)}}`],
    ['no UTF-8', 200, JSON_TYPE, Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])],
    ['no type', 200, {} as Record<string, string>, lineWith({})],
    ['a redirect', 301, { ...JSON_TYPE, location: 'http://127.0.0.1:1/' }, lineWith({})],
  ])('%s', async (_what, status, headers, body) => {
    answering(status, headers, body);
    const error = await errorOf(carrier.lookup({ mdn: MDN }));
    expect([error.code, error.reason]).toEqual(['bad_gateway', 'carrier_bad_answer']);
    expect(error.message).toMatch(/^the carrier sprint gave a bad answer: /);
    expect(error.message).not.toContain('748');
  });
});

describe('a 404 is no such line only when the carrier says so:', () => {
  test.each([
    ['{"error":{"code":"no_such_line"}}', undefined],
    ['{"error":{"code":"no_such_route"}}', 'carrier_rejected'],
    ['{"error":"no_such_line"}', 'carrier_rejected'],
    ['not found', 'carrier_bad_answer'],
  ])('%s', async (body, reason) => {
    answering(404, JSON_TYPE, body);
    const asked = carrier.lookup({ mdn: MDN });
    if (reason === undefined) await expect(asked).resolves.toBeUndefined();
    else expect((await errorOf(asked)).reason).toBe(reason);
  });

  test('and a page of a web server is a bad answer', async () => {
    answering(404, { 'content-type': 'text/html' }, '<h1>Not Found</h1>');
    expect((await errorOf(carrier.lookup({ mdn: MDN }))).reason).toBe('carrier_bad_answer');
  });
});

test('Retry-After may be a date', async () => {
  const at = new Date(Date.now() + 90_000).toUTCString();
  answering(503, { ...JSON_TYPE, 'retry-after': at }, '{}');
  const error = await errorOf(carrier.lookup({ mdn: MDN }));
  expect(error.retryAfterS).toBeGreaterThan(80);
  expect(error.retryAfterS).toBeLessThanOrEqual(90);
  expect(requests).toHaveLength(1);
});

test.each(['999999999', 'Fri, 01 Jan 9999 00:00:00 GMT'])(
  'Retry-After %s sends nobody away for longer than a day',
  async (text) => {
    answering(503, { ...JSON_TYPE, 'retry-after': text }, '{}');
    expect((await errorOf(carrier.lookup({ mdn: MDN }))).retryAfterS).toBe(86_400);
  },
);

test('names that are the carrier’s own choice do not get into a message', async () => {
  const data = { ['K'.repeat(10_000)]: 1, 'imsi 310150123456789': 2 };
  answering(200, JSON_TYPE, lineWith({ carrier_data: data }));
  const error = await errorOf(carrier.lookup({ mdn: MDN }));
  expect(error.message).toBe(
    'the carrier sprint gave a bad answer: not as agreed at ' +
      'line.carrier_data.…, line.carrier_data.…',
  );
});

test('an answer that drips for ever ends by the time limit', async () => {
  const drips: NodeJS.Timeout[] = [];
  answer = (_request, response) => {
    response.writeHead(200, JSON_TYPE);
    drips.push(setInterval(() => response.write(' '), 50));
  };
  const error = await errorOf(carrier.lookup({ mdn: MDN }));
  for (const drip of drips) clearInterval(drip);
  expect([error.code, error.reason]).toEqual(['gateway_timeout', 'carrier_timeout']);
  expect(requests).toHaveLength(1);
});

test('messages and files with names that lead elsewhere are bad answers', async () => {
  answering(200, JSON_TYPE, JSON.stringify({ files: [{ name: '../lines' }], cursor: '1' }));
  expect((await errorOf(carrier.listUsageFiles(undefined))).reason).toBe('carrier_bad_answer');
  const message = { id: 'm', direction: 'sideways', mdn: MDN, code: 'x', timestamp: 1 };
  answering(200, JSON_TYPE, JSON.stringify({ messages: [message], cursor: '1' }));
  const error = await errorOf(carrier.fetchPortMessages(undefined, 10));
  expect(error.message).toContain('messages.0.direction');
});

test('a cursor goes back as it came', async () => {
  answering(200, JSON_TYPE, JSON.stringify({ messages: [], cursor: 'a/b?c=d&e f' }));
  const page = await carrier.fetchPortMessages('x&y=z', 10);
  expect(page).toEqual({ messages: [], cursor: 'a/b?c=d&e f' });
  expect(requests[0]?.url).toBe('/some/base/v1/port-messages?limit=10&after=x%26y%3Dz');
});

test('no device is asked for by a name that leads elsewhere', async () => {
  await expect(carrier.equipment('..')).resolves.toBeUndefined();
  await expect(carrier.equipment('a/b')).resolves.toBeUndefined();
  expect(requests).toEqual([]);
});

describe('a usage file', () => {
  const CSV = { 'content-type': 'text/csv' };

  test.each([
    ['plain', CSV, 'a,b\r\n'],
    ['packed on the way', { ...CSV, 'content-encoding': 'gzip' }, gzipSync('a,b\r\n')],
    ['packed itself', { 'content-type': 'application/gzip' }, gzipSync('a,b\r\n')],
  ])('is read %s', async (_how, headers, body) => {
    answering(200, headers, body);
    expect(await readWhole(carrier.openUsageFile('a.csv'))).toBe('a,b\r\n');
  });

  test.each([
    ['of another kind', { 'content-type': 'text/html' }, 'a,b'],
    ['packed in another way', { ...CSV, 'content-encoding': 'br' }, 'a,b'],
    ['that is not packed as it says', { ...CSV, 'content-encoding': 'gzip' }, 'a,b'],
    ['cut', { ...CSV, 'content-encoding': 'gzip' }, gzipSync('a,b\r\n'.repeat(99)).subarray(0, 20)],
    ['shorter than it says', { ...CSV, 'content-length': '100' }, 'a,b'],
  ])('%s is a bad answer', async (_what, headers, body) => {
    answer = (_request, response) => {
      response.writeHead(200, headers);
      response.write(body);
      setTimeout(() => response.socket?.end(), 20);
      if (!('content-length' in headers)) response.end();
    };
    const error = await errorOf(readWhole(carrier.openUsageFile('a.csv')));
    expect([error.code, error.reason]).toEqual(['bad_gateway', 'carrier_bad_answer']);
  });

  test('that drips for ever ends, though no piece is late', async () => {
    answer = (_request, response) => {
      response.writeHead(200, CSV);
      const drip = setInterval(() => response.write('x'), 200);
      response.once('close', () => clearInterval(drip));
    };
    const error = await errorOf(readWhole(carrier.openUsageFile('a.csv')));
    expect([error.code, error.reason]).toEqual(['gateway_timeout', 'carrier_timeout']);
  }, 30_000);

  test('that stops in the middle ends by the time limit for each piece', async () => {
    answer = (_request, response) => {
      response.writeHead(200, CSV);
      response.write('a,b\r\n');
    };
    const error = await errorOf(readWhole(carrier.openUsageFile('a.csv')));
    expect([error.code, error.reason]).toEqual(['gateway_timeout', 'carrier_timeout']);
  });
});
