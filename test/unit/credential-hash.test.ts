import { createHmac, scryptSync } from 'node:crypto';
import { createCredentialHash } from '../../src/core/credential-hash.js';
import { parseKeyring } from '../../src/core/keyring.js';
import { createSemaphore } from '../../src/core/semaphore.js';

const keyA = `a:${Buffer.alloc(32, 1).toString('base64')}`;
const keyB = `b:${Buffer.alloc(32, 2).toString('base64')}`;
const ring = parseKeyring(`${keyA},${keyB}`);
const credentials = createCredentialHash(ring);
const md5 = 'd41d8cd98f00b204e9800998ecf8427e';
const accountId = 'c0ffee00000000000000000000000001';

describe('a credential hash', () => {
  test('is scrypt of the credential, salted by the account under the first key', async () => {
    const salt = createHmac('sha256', ring.subkey('a', 'hash-salt') ?? '')
      .update(accountId)
      .digest();
    const bytes = scryptSync(md5, salt, 32, { N: 2 ** 15, r: 8, p: 3, maxmem: 2 ** 26 });
    const hash = await credentials.hash(accountId, md5);
    expect(hash).toBe(`v1.a.${bytes.toString('base64url')}`);
    expect(await credentials.hash(accountId, md5.toUpperCase())).toBe(hash);
  });

  test('differs by account, credential, realm and key', async () => {
    const hashes = await Promise.all([
      credentials.hash(accountId, md5),
      credentials.hash(accountId.replace('1', '2'), md5),
      credentials.hash(accountId, md5.replace('d', 'e')),
      credentials.hash(accountId, md5, 'demo'),
      createCredentialHash(parseKeyring(keyB)).hash(accountId, md5),
    ]);
    expect(new Set(hashes.map((hash) => hash.split('.')[2])).size).toBe(hashes.length);
  });

  test('to look up is one per key; demo variants only where they are allowed', async () => {
    const real = await credentials.hashes(accountId, md5);
    expect(real.map((hash) => hash.slice(0, 5))).toEqual(['v1.a.', 'v1.b.']);
    const all = await credentials.hashes(accountId, md5, { allowDemo: true });
    expect(all.slice(0, 2)).toEqual(real);
    expect(all[2]).toBe(await credentials.hash(accountId, md5, 'demo'));
    expect(all.slice(2).map((hash) => hash.slice(0, 8))).toEqual(['demo1.a.', 'demo1.b.']);
  });

  test.each(['', 'password', 'zz'.repeat(16), 'a'.repeat(129)])(
    'refuses %j',
    async (credential) => {
      await expect(credentials.hash(accountId, credential)).rejects.toMatchObject({
        code: 'invalid',
      });
    },
  );
});

describe('the semaphore', () => {
  /** A task that ends when told, and the list of those that started. */
  function tasks() {
    const started: number[] = [];
    const ends = new Map<number, () => void>();
    const task = (n: number) => () =>
      new Promise<number>((resolve) => {
        started.push(n);
        ends.set(n, () => resolve(n));
      });
    return { started, task, end: (n: number) => ends.get(n)?.() };
  }

  test('runs no more than its slots, the others in the order they came', async () => {
    const semaphore = createSemaphore(2, 10);
    const { started, task, end } = tasks();
    const runs = [1, 2, 3, 4].map((n) => semaphore.run(task(n)));
    await new Promise(setImmediate);
    expect(started).toEqual([1, 2]);
    end(2);
    await runs[1];
    await new Promise(setImmediate);
    expect(started).toEqual([1, 2, 3]);
    end(1);
    await runs[0];
    await new Promise(setImmediate);
    end(3);
    end(4);
    expect(await Promise.all(runs)).toEqual([1, 2, 3, 4]);
  });

  test('refuses at once when the queue is full, and takes more when it is not', async () => {
    const semaphore = createSemaphore(1, 1);
    const { task, end } = tasks();
    const first = semaphore.run(task(1));
    const second = semaphore.run(task(2));
    await expect(semaphore.run(task(3))).rejects.toMatchObject({
      code: 'too_many',
      retryAfterS: 5,
    });
    end(1);
    await first;
    await new Promise(setImmediate);
    end(2);
    expect(await second).toBe(2);
    expect(await semaphore.run(async () => 4)).toBe(4);
  });

  test('gives its slot back when a task fails', async () => {
    const semaphore = createSemaphore(1, 0);
    const failing = semaphore.run(async () => {
      throw new Error('broken');
    });
    await expect(failing).rejects.toThrow('broken');
    expect(await semaphore.run(async () => 'next')).toBe('next');
  });
});
