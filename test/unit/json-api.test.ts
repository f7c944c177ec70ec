import fc from 'fast-check';
import { AppError, InvalidError } from '../../src/core/errors.js';
import { formatUuid, parseUuid } from '../../src/core/uuid.js';
import { parseAllowedIps } from '../../src/resources/sip-accounts/sip-accounts.fields.js';
import { readBasic } from '../../src/surfaces/json-api/basic.js';
import { presentError } from '../../src/surfaces/json-api/errors.js';
import { pointerTo } from '../../src/surfaces/json-api/faults.js';

const RUNS = 500;

describe('UUIDs', () => {
  const ID = 'c1c798dcee42462e8fca0fa96d6fe3c0';
  it('spell the ids of the store, in either case', () => {
    expect(formatUuid(ID)).toBe('c1c798dc-ee42-462e-8fca-0fa96d6fe3c0');
    expect(parseUuid(formatUuid(ID).toUpperCase())).toBe(ID);
    fc.assert(
      fc.property(fc.stringMatching(/^[0-9a-f]{32}$/), (id) => parseUuid(formatUuid(id)) === id),
    );
  });
  it.each([ID, `${formatUuid(ID)}0`, ` ${formatUuid(ID)}`, `{${formatUuid(ID)}}`, '', 'x'])(
    'are not %j',
    (text) => expect(parseUuid(text)).toBeUndefined(),
  );
});

describe('Basic credentials', () => {
  const of = (text: string) => readBasic(`Basic ${Buffer.from(text).toString('base64')}`);
  it('end their name at the first colon, and may have any other character', () => {
    expect(of('a:b:c')).toEqual({ username: 'a', password: 'b:c' });
    expect(of('ä@b:ü ')).toEqual({ username: 'ä@b', password: 'ü ' });
    expect(of('a:')).toEqual({ username: 'a', password: '' });
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme' }),
        fc.string({ unit: 'grapheme' }),
        (name, password) => {
          const isUsable = name !== '' && !name.includes(':');
          if (isUsable) expect(of(`${name}:${password}`)).toEqual({ username: name, password });
        },
      ),
      { numRuns: RUNS },
    );
  });
  it.each([undefined, '', 'Basic', 'Basic ', 'Basic a b', 'Digest YTpi', 'Basic OmI='])(
    'are not %j',
    (header) => expect(readBasic(header)).toBeUndefined(),
  );
});

describe('allowed IPs', () => {
  it('say the same when they are read again, each network once', () => {
    const network = fc.oneof(
      fc.tuple(fc.ipV4(), fc.integer({ min: 0, max: 32 })).map((parts) => parts.join('/')),
      fc.tuple(fc.ipV6(), fc.integer({ min: 0, max: 128 })).map((parts) => parts.join('/')),
      fc.ipV4(),
      fc.ipV6(),
    );
    const separator = fc.constantFrom(',', ' ', ', ', '\n', ',,');
    fc.assert(
      fc.property(fc.array(network, { maxLength: 20 }), separator, (networks, between) => {
        const text = parseAllowedIps(networks.join(between));
        if (networks.length === 0) return expect(text).toBeNull();
        if (typeof text !== 'string') throw new Error(`not taken: ${networks}`);
        expect(parseAllowedIps(text)).toBe(text);
        const parts = text.split(',');
        expect(new Set(parts).size).toBe(parts.length);
        expect(parts.every((part) => /\/\d+$/.test(part))).toBe(true);
      }),
      { numRuns: RUNS },
    );
  });
});

describe('errors', () => {
  it('of other layers tell nothing of them', () => {
    const secret = new Error('password hunter2 at 10.0.0.1');
    for (const [error, status] of [
      [secret, 500],
      [new AppError('internal', 'sip_auth/x is broken', { subject: 'x', cause: secret }), 500],
      [new AppError('bad_gateway', 'CouchDB said x', { reason: 'store_bad_answer' }), 502],
      ['a text', 500],
    ] as const) {
      const answer = presentError(error);
      expect(answer.status).toBe(status);
      expect(JSON.stringify(answer)).not.toMatch(/hunter2|sip_auth|CouchDB|a text/);
    }
  });
  it('say when to come again', () => {
    expect(presentError(new AppError('unavailable', 'x'))).toMatchObject({
      status: 503,
      retryAfterS: 2,
    });
    const busy = new AppError('too_many', 'x', { retryAfterS: 9 });
    expect(presentError(busy)).toMatchObject({ status: 429, retryAfterS: 9 });
  });
  it('of values point to them', () => {
    expect(pointerTo('data', 'a/b', '~', 0)).toBe('/data/a~1b/~0/0');
    const issues = [{ path: ['allowed_ips'], rule: 'x', message: 'no' }];
    expect(presentError(new InvalidError(issues)).errors).toEqual([
      {
        status: '422',
        code: '100',
        title: 'no',
        detail: 'allowed_ips - no',
        source: { pointer: '/data/attributes/allowed_ips' },
      },
    ]);
  });
});
