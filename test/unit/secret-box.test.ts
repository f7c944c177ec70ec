import { inspect } from 'node:util';
import fc from 'fast-check';
import { AppError } from '../../src/core/errors.js';
import { createSecretBox, generateKeyring, parseKeyring } from '../../src/core/secret-box.js';

const keyA = `a:${Buffer.alloc(32, 1).toString('base64')}`;
const keyB = `b:${Buffer.alloc(32, 2).toString('base64')}`;
const box = createSecretBox(parseKeyring(`${keyA},${keyB}`));

function failureOf(run: () => unknown): AppError {
  try {
    run();
  } catch (error) {
    if (error instanceof AppError) return error;
    throw error;
  }
  throw new Error('it did not fail');
}

describe('sealing', () => {
  test('gives back any text for the same document and field, and differs every time', () => {
    const text = fc.string({ unit: 'binary' });
    fc.assert(
      fc.property(text, text, text, (clear, documentId, field) => {
        const sealed = box.seal(clear, documentId, field);
        expect(sealed).toMatch(/^v1\.a\.[A-Za-z0-9_-]+$/);
        expect(box.open(sealed, documentId, field)).toBe(clear);
        expect(box.seal(clear, documentId, field)).not.toBe(sealed);
      }),
    );
  });

  test('with any byte changed to any other does not open', () => {
    const sealed = box.seal('secret', 'doc', 'api_key');
    const bytes = Buffer.from(sealed.split('.')[2] ?? '', 'base64url');
    for (let at = 0; at < bytes.length; at += 1) {
      for (const flip of [1, 0x80, 0xff]) {
        const changed = Buffer.from(bytes);
        changed.writeUInt8(changed.readUInt8(at) ^ flip, at);
        const text = `v1.a.${changed.toString('base64url')}`;
        expect(failureOf(() => box.open(text, 'doc', 'api_key')).code).toBe('internal');
      }
    }
  });

  test('with any character of its text changed, added or left out does not open', () => {
    const sealed = box.seal('secret', 'doc', 'api_key');
    for (let at = 0; at < sealed.length; at += 1) {
      const [before, after] = [sealed.slice(0, at), sealed.slice(at + 1)];
      for (const character of ['A', 'b', '.', '=', ' ', '+', '']) {
        if (sealed[at] === character) continue;
        const open = () => box.open(before + character + after, 'doc', 'api_key');
        expect(failureOf(open).code).toBe('internal');
      }
    }
  });

  test('does not open in another document or field, nor where the two run together', () => {
    const sealed = box.seal('secret', 'doc', 'api_key');
    for (const [documentId, field] of [
      ['doc2', 'api_key'],
      ['doc', 'password'],
      ['api_key', 'doc'],
      ['docapi_key', ''],
      ['', 'docapi_key'],
      ['doc","api_key', ''],
      ['DOC', 'api_key'],
    ] as const) {
      const error = failureOf(() => box.open(sealed, documentId, field));
      expect(error).toMatchObject({ code: 'internal', reason: 'sealed_value' });
    }
  });

  test('by an unknown key or by another key of the same name does not open', () => {
    const unknown = createSecretBox(parseKeyring(keyB)).seal('secret', 'doc', 'api_key');
    const onlyA = createSecretBox(parseKeyring(keyA));
    expect(failureOf(() => onlyA.open(unknown, 'doc', 'api_key')).message).toContain('unknown');
    const other = createSecretBox(parseKeyring(`a:${Buffer.alloc(32, 9).toString('base64')}`));
    const foreign = other.seal('secret', 'doc', 'api_key');
    expect(failureOf(() => box.open(foreign, 'doc', 'api_key')).code).toBe('internal');
    expect(failureOf(() => box.open(foreign.replace('.a.', '.b.'), 'doc', 'api_key')).code).toBe(
      'internal',
    );
  });

  test('opens what an older key of the ring sealed, and seals with the first', () => {
    const old = createSecretBox(parseKeyring(keyB)).seal('secret', 'doc', 'api_key');
    expect(box.open(old, 'doc', 'api_key')).toBe('secret');
    expect(box.kidOf(old)).toBe('b');
    expect(box.kidOf(box.seal('', 'doc', 'api_key'))).toBe(box.primaryKid);
  });

  test.each([
    '',
    'secret',
    'v1.a.',
    'v1.a.AAAA',
    'v2.a.AAAA',
    'v1..AAAA',
    `v1.${'k'.repeat(33)}.${'A'.repeat(60)}`,
    `v1.a.${'A'.repeat(60)}\n`,
    `v1.a.${'A'.repeat(200_000)}`,
  ])('refuses a text that was never sealed (%#) and quotes neither it nor a key', (text) => {
    const error = failureOf(() => box.open(text, 'doc', 'api_key'));
    expect(error.code).toBe('internal');
    expect(error.cause).toBeUndefined();
    if (text.length > 3) expect(error.message).not.toContain(text);
    expect(box.kidOf(text)).toBeUndefined();
  });

  test('refuses other base64 spellings of the same bytes', () => {
    // 12 + 6 + 16 bytes end in a character with four spare bits.
    const sealed = box.seal('secret', 'doc', 'api_key');
    const last = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    const respelled = last[last.indexOf(sealed.slice(-1)) + 1] ?? '';
    const text = sealed.slice(0, -1) + respelled;
    expect(Buffer.from(text, 'base64url')).toEqual(Buffer.from(sealed, 'base64url'));
    expect(failureOf(() => box.open(text, 'doc', 'api_key')).code).toBe('internal');
  });

  test('refuses texts that are too long or that UTF-8 would change', () => {
    expect(failureOf(() => box.seal('x'.repeat(65_537), 'doc', 'f')).code).toBe('too_large');
    expect(failureOf(() => box.seal('\ud800', 'doc', 'f')).code).toBe('invalid');
    expect(box.open(box.seal('x'.repeat(65_536), 'd', 'f'), 'd', 'f')).toHaveLength(65_536);
  });
});

describe('digests', () => {
  test('are the same every time, and another for each purpose, value, realm and key', () => {
    const digest = box.digest('account_api_key', 'value');
    expect(digest).toMatch(/^v1\.a\.[A-Za-z0-9_-]{43}$/);
    expect(box.digest('account_api_key', 'value')).toBe(digest);
    const others = [
      box.digest('account_api_key', 'value2'),
      box.digest('other', 'value'),
      box.digest('account_api_keyvalue', ''),
      box.digest('account_api_key', 'value', 'demo'),
      createSecretBox(parseKeyring(keyB)).digest('account_api_key', 'value'),
    ];
    const macs = [digest, ...others].map((text) => text.split('.')[2]);
    expect(new Set(macs).size).toBe(macs.length);
  });

  test('to look up are one per key of the ring, the first key first', () => {
    const digests = box.digests('account_api_key', 'value');
    expect(digests[0]).toBe(box.digest('account_api_key', 'value'));
    expect(digests.map((text) => text.split('.').slice(0, 2))).toEqual([
      ['v1', 'a'],
      ['v1', 'b'],
    ]);
  });

  test('of the demo realm are found only where demo credentials are allowed', () => {
    const demo = box.digest('account_api_key', 'value', 'demo');
    expect(demo).toMatch(/^demo1\.a\./);
    expect(box.digests('account_api_key', 'value')).not.toContain(demo);
    expect(box.digests('account_api_key', 'value', { allowDemo: false })).not.toContain(demo);
    expect(box.digests('account_api_key', 'value', { allowDemo: true })).toContain(demo);
  });
});

describe('a keyring', () => {
  test('that was generated parses, with a key id of its own', () => {
    const texts = [generateKeyring(), generateKeyring()];
    const rings = texts.map(parseKeyring);
    expect(rings[0]?.primaryKid).not.toBe(rings[1]?.primaryKid);
    const ring = parseKeyring(texts.join(', '));
    expect(ring.kids).toEqual(rings.flatMap((one) => one.kids));
  });

  test('shows no key when printed or written as JSON', () => {
    const ring = parseKeyring(keyA);
    const printed = inspect(ring, { depth: 9, showHidden: true }) + JSON.stringify(ring);
    expect(printed).not.toMatch(/AQEBAQ|01 01 01/);
  });

  test('with several faults says all of them at once, without any key material', () => {
    const short = Buffer.alloc(16, 7).toString('base64');
    const good = Buffer.alloc(32, 3).toString('base64');
    const text = `nocolon,bad id:${good},c:${short},d:not*base64,e:${good},e:${good},:${good}`;
    const error = (() => {
      try {
        return parseKeyring(text);
      } catch (thrown) {
        return thrown as Error;
      }
    })() as Error;
    expect(error.message).toBe(
      'keyring: key 1: is not kid:base64; ' +
        'key 2: key id must be 1 to 32 letters, digits, _ or -; ' +
        'key 3: key must have 32 bytes; key 4: key is not base64; ' +
        'key 6: key id was used before; key 7: key id must be 1 to 32 letters, digits, _ or -',
    );
    for (const part of text.split(/[:,]/)) {
      if (part.length > 3) expect(error.message).not.toContain(part);
    }
  });

  test.each(['', ',', 'a:', keyA.slice(0, -1), `${keyA},`, keyA.replace('a:', 'a;')])(
    'that is %j is refused',
    (text) => {
      expect(() => parseKeyring(text)).toThrow(/^keyring: /);
    },
  );
});
