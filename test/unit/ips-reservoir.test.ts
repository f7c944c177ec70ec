import type { IpAddress } from '../../src/core/ip-address.js';
import type { DedicatedIp } from '../../src/resources/ips/ips.doc.js';
import type { CandidateQuery } from '../../src/resources/ips/ips.pool.store.js';
import { createReservoir } from '../../src/resources/ips/ips.reservoir.js';

function ipOf(n: number): DedicatedIp {
  const ip = `10.0.${n >> 8}.${n & 255}` as IpAddress;
  const stored = { _id: ip, _rev: '1-x' };
  const times = { created: 0, modified: 0, version: '1', revision: '1-x' };
  return { ip, zone: 'z', host: 'h', assignedTo: undefined, ...times, stored };
}

/** A store with an index that may know more addresses than are still free. */
function createPool(options: { free: number; stale?: number; random?: () => number }) {
  const { free, stale = 0, random = () => 0.5 } = options;
  const all = Array.from({ length: stale + free }, (_, n) => ipOf(n));
  const queries: CandidateQuery[] = [];
  const taken = new Set<string>();
  let nowMs = 0;
  const reservoir = createReservoir({
    store: {
      async listCandidates(query) {
        queries.push(query);
        await new Promise((resolve) => setImmediate(resolve));
        // A fresh index has lost what was taken; an old one still has it, its documents do not.
        const index = query.isFresh ? all.slice(stale).filter(({ ip }) => !taken.has(ip)) : all;
        const from =
          query.after === undefined ? 0 : index.findIndex(({ ip }) => ip === query.after?.ip);
        const rows = index
          .slice(from)
          .slice(query.skip ?? 0)
          .slice(0, query.limit);
        const last = rows.at(-1);
        return {
          free: rows.filter((ip) => !taken.has(ip.ip) && all.indexOf(ip) >= stale),
          rows: rows.length,
          last: last && { zone: 'z', ip: last.ip },
        };
      },
    },
    now: () => nowMs,
    random,
  });
  return {
    reservoir,
    queries,
    pass: (ms: number) => {
      nowMs += ms;
    },
    /** Takes and writes. */
    async use(quantity: number): Promise<string[] | undefined> {
      const picked = await reservoir.take('z', quantity);
      for (const { ip } of picked ?? []) taken.add(ip);
      reservoir.done(picked ?? []);
      return picked?.map(({ ip }) => ip);
    },
  };
}

describe('the candidates for allocation', () => {
  it('are read once for many callers, and each has others', async () => {
    const pool = createPool({ free: 1000 });
    const picked = await Promise.all(Array.from({ length: 64 }, () => pool.use(1)));
    expect(new Set(picked.flat()).size).toBe(64);
    expect(pool.queries).toHaveLength(1);
    expect(pool.queries[0]).toMatchObject({ isFresh: false, zone: 'z' });
  });

  it('are read again after a second', async () => {
    const pool = createPool({ free: 1000 });
    await pool.use(1);
    pool.pass(999);
    await pool.use(1);
    expect(pool.queries).toHaveLength(1);
    pool.pass(1);
    await pool.use(1);
    expect(pool.queries).toHaveLength(2);
  });

  it('are read from a random place, and from the start when that is behind the end', async () => {
    const pool = createPool({ free: 10, random: () => 0.99 });
    expect(await pool.use(4)).toHaveLength(4);
    expect(pool.queries.map(({ skip }) => skip)).toEqual([990, 0]);
  });

  it('are never called exhausted by an index that may be old', async () => {
    const pool = createPool({ free: 3, stale: 5000 });
    expect(await pool.use(3)).toHaveLength(3);
    expect(pool.queries.at(-1)?.isFresh).toBe(true);
    expect(await pool.use(1)).toBeUndefined();
    expect(pool.queries.at(-1)?.isFresh).toBe(true);
  });

  it('are handed out whole or not at all', async () => {
    const pool = createPool({ free: 10 });
    const all = await Promise.all([pool.use(8), pool.use(8), pool.use(2)]);
    expect(all.map((picked) => picked?.length)).toEqual([8, undefined, 2]);
  });

  it('are looked for afresh by a look that began after the question', async () => {
    const pool = createPool({ free: 2 });
    const first = pool.use(3);
    await new Promise((resolve) => setImmediate(resolve));
    const second = pool.use(3);
    expect(await first).toBeUndefined();
    expect(await second).toBeUndefined();
    expect(pool.queries.filter(({ isFresh }) => isFresh).length).toBeGreaterThanOrEqual(2);
  });

  it('are found to the last one in a large pool', async () => {
    const pool = createPool({ free: 5000 });
    const found = new Set<string>();
    for (let picked = await pool.use(700); picked !== undefined; picked = await pool.use(700)) {
      for (const ip of picked) found.add(ip);
    }
    expect(found.size).toBe(4900);
    expect(await pool.use(100)).toHaveLength(100);
    expect(await pool.use(1)).toBeUndefined();
  });
});
