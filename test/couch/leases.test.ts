import { setTimeout as sleep } from 'node:timers/promises';
import { databases } from '../../src/couch/databases.js';
import { withLease } from '../../src/couch/leases.js';
import { migrations, runMigrations } from '../../src/couch/migrations/index.js';
import { type MisbehavingServer, startMisbehavingServer } from '../support/misbehaving-server.js';
import { storeUrl } from '../support/store.js';
import { failure, openOwnCouch } from './own-couch.js';

const own = openOwnCouch();
const { couch } = own;
const ops = couch.database(databases.ops);
let server: MisbehavingServer;

beforeAll(async () => {
  await couch.createDatabase(databases.ops);
  server = await startMisbehavingServer(storeUrl());
});

afterAll(async () => {
  await own.cleanUp();
  await server.close();
});

describe('a lease', () => {
  test('lets one holder at a time run, and the next one as soon as it is given back', async () => {
    let running = 0;
    let most = 0;
    const job = async (): Promise<string> => {
      most = Math.max(most, ++running);
      await sleep(60);
      running--;
      return 'done';
    };
    const others = [couch, own.another(), own.another()];
    const results = await Promise.all(
      others.map((client, n) =>
        withLease(client, 'one', { ttlMs: 2000, holder: `h${n}`, waitMs: 9000 }, job),
      ),
    );
    expect(results).toEqual(others.map(() => ({ ran: true, value: 'done' })));
    expect(most).toBe(1);
    expect(await ops.get('lease:one')).toMatchObject({ pvt_type: 'lease', pvt_nonce: '' });
  });

  test('that another holds is not waited for unless asked', async () => {
    await withLease(couch, 'busy', { ttlMs: 1000, holder: 'a' }, async () => {
      const second = await withLease(
        own.another(),
        'busy',
        { ttlMs: 1000, holder: 'b' },
        sleepless,
      );
      expect(second).toEqual({ ran: false });
    });
  });

  test('is renewed while its holder works longer than it lasts', async () => {
    const waiting = { ttlMs: 200, holder: 'b', waitMs: 600 };
    const result = await withLease(couch, 'long', { ttlMs: 200, holder: 'a' }, async (signal) => {
      const second = withLease(own.another(), 'long', waiting, sleepless);
      expect(await second).toEqual({ ran: false });
      expect(signal.aborted).toBe(false);
    });
    expect(result.ran).toBe(true);
  });

  test('is given back when its holder fails', async () => {
    const failing = withLease(couch, 'fails', { ttlMs: 5000, holder: 'a' }, async () => {
      throw new Error('broken');
    });
    expect(String(await failure(failing))).toBe('Error: broken');
    const next = await withLease(couch, 'fails', { ttlMs: 5000, holder: 'b' }, sleepless);
    expect(next.ran).toBe(true);
  });

  test('of a dead holder is taken over only after it was watched for its whole time', async () => {
    await ops.put(deadLease('dead', Date.now() - 60_000));
    const startedAt = performance.now();
    const options = { ttlMs: 300, holder: 'b', waitMs: 5000 };
    expect(await withLease(couch, 'dead', options, sleepless)).toEqual({ ran: true, value: true });
    expect(performance.now() - startedAt).toBeGreaterThan(300);
  });

  test('that has not expired by our clock is left alone however long we watch', async () => {
    await ops.put(deadLease('ahead', Date.now() + 60_000));
    const options = { ttlMs: 100, holder: 'b', waitMs: 500 };
    expect(await withLease(couch, 'ahead', options, sleepless)).toEqual({ ran: false });
  });

  test('is lost to whoever overwrote it, and its holder is told to stop', async () => {
    const options = { ttlMs: 300, holder: 'a' };
    const result = await withLease(couch, 'stolen', options, async (signal) => {
      const mine = await ops.get('lease:stolen');
      await ops.put({ ...mine, pvt_nonce: 'thief' });
      await aborted(signal);
      return signal.reason;
    });
    expect(result).toMatchObject({ ran: true, value: { code: 'conflict', reason: 'lease_lost' } });
    expect(await ops.get('lease:stolen')).toMatchObject({ pvt_nonce: 'thief' });
  });

  test('is lost when the store stays silent for as long as it lasts', async () => {
    const client = own.another({ url: server.url, timeoutMs: 5000 });
    const startedAt = performance.now();
    await withLease(client, 'silent', { ttlMs: 400, holder: 'a' }, async (signal) => {
      server.fail(Array.from({ length: 9 }, () => ({ kind: 'silence' })));
      await aborted(signal);
      expect(performance.now() - startedAt).toBeLessThan(1000);
      server.behave();
    });
  });

  test('ends with the signal of the one who asked for it', async () => {
    const controller = new AbortController();
    const options = { ttlMs: 1000, holder: 'a', signal: controller.signal };
    const result = await withLease(couch, 'stopped', options, async (signal) => {
      controller.abort();
      return signal.aborted;
    });
    expect(result).toEqual({ ran: true, value: true });
  });
});

describe('migrations', () => {
  test('run once, in order, and are recorded', async () => {
    const ran: string[] = [];
    const list = ['m1', 'm2'].map((id) => ({ id, run: async () => void ran.push(id) }));
    const options = { holder: 'a' };
    expect(await runMigrations(couch, list, options)).toEqual(['m1', 'm2']);
    expect(await runMigrations(couch, list, options)).toEqual([]);
    expect(ran).toEqual(['m1', 'm2']);
    expect(await ops.get('migration:m1')).toMatchObject({ pvt_type: 'migration', pvt_vsn: '1' });
  });

  test('that failed run again, those before them do not', async () => {
    const ran: string[] = [];
    let broken = true;
    const list = [
      { id: 'f1', run: async () => void ran.push('f1') },
      {
        id: 'f2',
        run: async () => {
          ran.push('f2');
          if (broken) throw new Error('interrupted');
        },
      },
    ];
    expect(String(await failure(runMigrations(couch, list, { holder: 'a' })))).toMatch(
      /interrupted/,
    );
    broken = false;
    expect(await runMigrations(couch, list, { holder: 'a' })).toEqual(['f2']);
    expect(ran).toEqual(['f1', 'f2', 'f2']);
  });

  test('of two processes run in one of them, and the other waits for the end', async () => {
    const ran: string[] = [];
    const run = async (): Promise<void> => {
      await sleep(100);
      ran.push('p1');
    };
    const list = [{ id: 'p1', run }];
    const both = [couch, own.another()].map((client) =>
      runMigrations(client, list, { holder: 'x', ttlMs: 1000 }),
    );
    expect((await Promise.all(both)).flat()).toEqual(['p1']);
    expect(ran).toEqual(['p1']);
  });

  test('that another process does not finish in time make the service unavailable', async () => {
    await ops.put({
      ...(await ops.get('lease:migrations')),
      ...deadLease('migrations', Date.now() + 60_000),
    });
    const list = [{ id: 'q1', run: async () => undefined }];
    const running = runMigrations(couch, list, { holder: 'a', waitMs: 50, ttlMs: 1000 });
    expect(await failure(running)).toMatchObject({
      code: 'unavailable',
      reason: 'migrations_running',
    });
  });

  test('of this version have ids of their own', () => {
    const ids = migrations.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
  });
});

const sleepless = async (): Promise<boolean> => true;

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
}

function deadLease(name: string, expiresMs: number): { _id: string; [field: string]: unknown } {
  return {
    _id: `lease:${name}`,
    pvt_type: 'lease',
    pvt_vsn: '1',
    pvt_holder: 'dead',
    pvt_nonce: 'dead',
    pvt_ttl_ms: 300,
    pvt_expires_ms: expiresMs,
  };
}
