import { readFileSync } from 'node:fs';
import { Writable } from 'node:stream';
import { AppError, InvalidError } from '../../src/core/errors.js';
import { runOperation } from '../../src/core/operation.js';
import { createSecretBox, generateKeyring, parseKeyring } from '../../src/core/secret-box.js';
import { createLog, type Log, type LogOptions } from '../../src/log.js';

type Line = Record<string, unknown>;

function createTestLog(level: LogOptions['level'] = 'debug'): { log: Log; texts: string[] } {
  const texts: string[] = [];
  const stream = new Writable({
    write(chunk, _encoding, done) {
      texts.push(String(chunk));
      done();
    },
  });
  const now = () => Date.UTC(2026, 10, 22, 12);
  return { log: createLog({ level, stream, now }), texts };
}

function lineOf(fields: Record<string, unknown>, message = 'event'): Line {
  const { log, texts } = createTestLog();
  log.info(message, fields);
  expect(texts).toHaveLength(1);
  expect(texts[0]).toMatch(/^[^\n]*\n$/);
  return JSON.parse(texts[0] ?? '') as Line;
}

describe('a log line', () => {
  test('is one line of JSON: time, level, message, request id, fields', () => {
    const { log, texts } = createTestLog();
    runOperation({ requestId: 'r1' }, () => log.warn('ip assigned', { ip: '1.2.3.4', count: 2 }));
    expect(texts).toEqual([
      '{"time":"2026-11-22T12:00:00.000Z","level":"warn","message":"ip assigned",' +
        '"request_id":"r1","ip":"1.2.3.4","count":2}\n',
    ]);
  });

  test('outside of an operation has no request id of its own and takes one from the fields', () => {
    expect(lineOf({})).not.toHaveProperty('request_id');
    expect(lineOf({ request_id: 'r2' })).toMatchObject({ request_id: 'r2' });
  });

  test('keeps its own time, level and message whatever the fields are called', () => {
    expect(lineOf({ time: 1, level: 'x', message: 'y' })).toEqual({
      time: '2026-11-22T12:00:00.000Z',
      level: 'info',
      message: 'event',
    });
  });

  test('stays one line when message and fields have line feeds', () => {
    expect(lineOf({ text: 'c\nd' }, 'a\nb')).toMatchObject({ message: 'a\nb', text: 'c\nd' });
  });

  test.each<[LogOptions['level'], string[]]>([
    ['error', ['error']],
    ['warn', ['error', 'warn']],
    ['info', ['error', 'warn', 'info']],
    ['debug', ['error', 'warn', 'info', 'debug']],
  ])('at level %s is written for %j only', (level, expected) => {
    const { log, texts } = createTestLog(level);
    log.debug('event');
    log.info('event');
    log.warn('event');
    log.error('event');
    const levels = texts.map((text) => (JSON.parse(text) as Line)['level']);
    expect(levels.sort()).toEqual([...expected].sort());
  });

  test('is written in order and completely when many come at once', () => {
    const { log, texts } = createTestLog();
    for (let n = 0; n < 500; n += 1) log.info('event', { n });
    expect(texts.map((text) => (JSON.parse(text) as Line)['n'])).toEqual(
      Array.from({ length: 500 }, (_, n) => n),
    );
  });
});

describe('secrets', () => {
  test.each([
    'api_key',
    'apiKey',
    'auth_token',
    'password',
    'embeddedCouchdbPassword',
    'pvt_sip_password',
    'credentials',
    'authorization',
    'Authorization',
    'X-Auth-Token',
    'session_id',
    'keyring',
    'cookie',
    'set-cookie',
    'pvt_api_key',
    'pvt_api_key_digest',
    'pvt_md5_auth',
    'pvt_api_key_sealed',
    'refresh_token',
    'client_secret',
  ])('under the name %s are redacted at any depth, whatever their type', (name) => {
    for (const secret of ['hunter2', 12_345, ['hunter2'], { a: 'hunter2' }]) {
      const line = lineOf({ [name]: secret, deep: [{ deeper: { [name]: secret } }] });
      expect(line[name]).toBe('[redacted]');
      expect(line['deep']).toEqual([{ deeper: { [name]: '[redacted]' } }]);
    }
  });

  test('that are absent, or flags, say so', () => {
    expect(lineOf({ password: null, api_key: true })).toMatchObject({
      password: null,
      api_key: true,
    });
  });

  test('names that only look similar are kept', () => {
    const fields = {
      key: 'a',
      keys: ['b'],
      kid: 'c',
      author: 'd',
      token_ttl_s: 3600,
      path: '/ips',
    };
    expect(lineOf(fields)).toMatchObject(fields);
  });

  test.each([
    ['/v2/ips?auth_token=hunter2&zone=a', '/v2/ips?auth_token=[redacted]&zone=a'],
    ['/v2/ips?zone=a&api_key=hunter2#top', '/v2/ips?zone=a&api_key=[redacted]#top'],
    ['session_id=hunter2;account_id=1', 'session_id=[redacted];account_id=1'],
    ['?auth%5Ftoken=hunter2', '?auth%5Ftoken=[redacted]'],
    ['?%61uth_token=hunter2', '?%61uth_token=[redacted]'],
    ['?data[password]=hunter2', '?data[password]=[redacted]'],
    ['http://admin:hunter2@host:5984/db', 'http://[redacted]@host:5984/db'],
    ['http://admin:hun@ter2@host/', 'http://[redacted]@host/'],
    ['Authorization: Basic aHVudGVyMg==', 'Authorization: Basic [redacted]'],
    ['bearer hunter2.hunter2', 'bearer [redacted]'],
    ['token eyJhbGciOiJSUzI1NiJ9.eyJhIjoxfQ.c2ln', 'token [redacted]'],
    ['/v2/user_auth/eyJhbGciOiJSUzI1NiJ9%2eeyJhIjoxfQ%2Ec2ln', '/v2/user_auth/[redacted]'],
    [
      '/v2/user_auth/eyJhbGciOiJSUzI1NiJ9%252eeyJhIjoxfQ%25252Ec2ln?a',
      '/v2/user_auth/[redacted]?a',
    ],
    ['/v2/user_auth/%65yJhbGciOiJSUzI1NiJ9.eyJhIjoxfQ.c2ln%zz', '/v2/user_auth/[redacted]'],
    ['?auth%255Ftoken=hunter2', '?auth%255Ftoken=[redacted]'],
    ['/v2/search?v=50%25&name=a%20b', '/v2/search?v=50%25&name=a%20b'],
    ['/v2/ips?zone=us-east&page_size=10', '/v2/ips?zone=us-east&page_size=10'],
    ['mail to a@example.com', 'mail to a@example.com'],
  ])('in the text %s are redacted', (text, expected) => {
    expect(lineOf({ url: text })['url']).toBe(expected);
    expect(lineOf({ error: new Error(text) })['error']).toMatchObject({ message: expected });
    expect(lineOf({}, text)['message']).toBe(expected);
  });

  test('sealed values and digests are redacted wherever they stand', () => {
    const box = createSecretBox(parseKeyring(generateKeyring()));
    const line = lineOf({
      a: `got ${box.seal('secret', 'doc', 'field')}`,
      b: box.digest('account_api_key', 'value'),
      c: box.digest('account_api_key', 'value', 'demo'),
    });
    expect(line).toMatchObject({ a: 'got [redacted]', b: '[redacted]', c: '[redacted]' });
  });
});

describe('errors', () => {
  test('are written with their causes, codes and where they come from', () => {
    const cause = Object.assign(new Error('connect http://admin:hunter2@host'), {
      code: 'ECONNREFUSED',
      syscall: 'connect',
    });
    const error = new AppError('unavailable', 'store unreachable', { cause, subject: 'ips' });
    expect(lineOf({ error })['error']).toEqual({
      name: 'AppError',
      message: 'store unreachable',
      code: 'unavailable',
      subject: 'ips',
      stack: expect.stringMatching(/^at .*log\.test/),
      cause: {
        name: 'Error',
        message: 'connect http://[redacted]@host',
        code: 'ECONNREFUSED',
        syscall: 'connect',
      },
    });
  });

  test('of bad input say place and rule, never what was sent', () => {
    const error = new InvalidError([
      {
        path: ['password'],
        rule: 'minLength',
        message: 'too short',
        details: { value: 'hunter2' },
      },
    ]);
    const line = lineOf({ error });
    expect(line['error']).toMatchObject({ issues: ['password: minLength'] });
    expect(JSON.stringify(line)).not.toContain('hunter2');
  });

  test('that Node itself throws are written as errors too', () => {
    let thrown: unknown;
    try {
      readFileSync('/no/such/file');
    } catch (error) {
      thrown = error;
    }
    expect(lineOf({ error: thrown })['error']).toMatchObject({ code: 'ENOENT', syscall: 'open' });
  });

  test('with parts, with causes that are no errors and with endless causes end', () => {
    const parts = new AggregateError([new Error('one'), 'two'], 'both', { cause: { token: 'x' } });
    expect(lineOf({ error: parts })['error']).toMatchObject({
      message: 'both',
      cause: { token: '[redacted]' },
      errors: [{ message: 'one' }, 'two'],
    });
    const endless = new Error('again');
    endless.cause = endless;
    expect(JSON.stringify(lineOf({ error: endless })).match(/again/g)?.length).toBe(6);
  });
});

describe('sizes', () => {
  test('are bounded: long texts, long lists, many members, deep values', () => {
    const deep: Record<string, unknown> = {};
    let at = deep;
    for (let n = 0; n < 50; n += 1) at = at['a'] = {};
    const many = Object.fromEntries(Array.from({ length: 200 }, (_, n) => [`m${n}`, n]));
    const line = lineOf({ text: 'x'.repeat(1e6), list: Array(500).fill(1), many, deep });
    expect(line['text']).toBe(`${'x'.repeat(4096)}… [1000000 characters]`);
    expect(line['list']).toHaveLength(101);
    expect(line['many']).toMatchObject({ m99: 99, more_members: 100 });
    expect(JSON.stringify(line['deep'])).toContain('[too deep]');
  });

  test('of a line too long leave the fields out and keep the rest', () => {
    const line = lineOf({ list: Array(50).fill('y'.repeat(4000)) });
    expect(line).toMatchObject({ level: 'info', message: 'event' });
    expect(line['left_out']).toMatch(/^\d+ characters of fields$/);
  });

  test('of objects that contain themselves many times stay bounded', () => {
    const wide: Record<string, unknown> = {};
    for (let n = 0; n < 90; n += 1) wide[`self${n}`] = wide;
    const line = lineOf({ wide });
    expect(JSON.stringify(line).length).toBeLessThan(64 * 1024);
  });

  test('a secret that the cut would divide is redacted all the same', () => {
    const text = `${'x'.repeat(4080)}?auth_token=hunter2`;
    expect(JSON.stringify(lineOf({ text }))).not.toContain('hunter2');
  });
});

test('values that are not JSON are written as something readable', () => {
  const fields = {
    bytes: Buffer.from('secret'),
    date: new Date(0),
    noDate: new Date(Number.NaN),
    big: 10n,
    run: () => 1,
    map: new Map<string, unknown>([['password', 'hunter2']]),
    set: new Set([1, 2]),
    nothing: undefined,
  };
  expect(lineOf(fields)).toEqual({
    time: '2026-11-22T12:00:00.000Z',
    level: 'info',
    message: 'event',
    bytes: '[6 bytes]',
    date: '1970-01-01T00:00:00.000Z',
    noDate: null,
    big: '10',
    run: '[function]',
    map: { password: '[redacted]' },
    set: [1, 2],
  });
});

test('a field that cannot be read does not take the caller down', () => {
  const fields = {
    get broken() {
      throw new Error('no');
    },
  };
  expect(lineOf(fields)).toMatchObject({ left_out: 'fields that cannot be read' });
});
