import { AppError } from '../../src/core/errors.js';
import type { SavedDoc, StoredDoc } from '../../src/couch/types.js';
import { type CuttingBench, FRAMINGS, openCuttingBench, PATIENCE_MS } from './cutting-bench.js';
import type { Spoiling } from './faulty-proxy.js';

const BULK = /^POST \/\S+\/_bulk_docs/;
const BULK_AND_LOOK_UP = /^POST \/\S+\/(_bulk_docs|_all_docs)/;

/** Two documents that no other write of this file writes. */
function docsFor(spoiling: Spoiling, mark: string): StoredDoc[] {
  const name = `${mark}-${spoiling.how}-${String(spoiling.afterBytes).padStart(4, '0')}`;
  return ['1', '2'].map((n) => ({ _id: `${name}-${n}`, n, pvt_request_id: name }));
}

describe.each(FRAMINGS)('an answer %s', (framing, everyByte) => {
  let bench: CuttingBench;
  let bytes: number;

  beforeAll(async () => {
    bench = await openCuttingBench(framing);
    const docs = docsFor({ request: BULK, afterBytes: 0, how: 'FIN' }, 'long');
    bytes = await bench.measure(BULK, () => bench.db.putMany(docs));
  });
  beforeEach(() => {
    bench.events.length = 0;
  });
  afterEach(() => bench.proxy.turn('fine'));
  afterAll(() => bench.close());

  async function storedOf(docs: readonly StoredDoc[]): Promise<ReadonlyMap<string, SavedDoc>> {
    return bench.straight.findMany(docs.map(({ _id }) => _id));
  }

  it(
    'to a bulk write that is refused leaves nothing behind, and a repeat is right',
    async () => {
      const docs = docsFor({ request: BULK, afterBytes: 0, how: 'FIN' }, 'late');
      bench.proxy.turn('gone');
      await expect(bench.db.putMany(docs)).rejects.toMatchObject({ reason: 'store_unreachable' });
      expect((await storedOf(docs)).size).toBe(0);
      bench.proxy.turn('fine');
      const repeated = await bench.db.putMany(docs);
      const stored = await storedOf(docs);
      expect(repeated).toEqual(docs.map(({ _id }) => ({ ok: true, doc: stored.get(_id) })));
    },
    PATIENCE_MS,
  );

  it(
    'to a bulk write, cut at any byte, is read back and is what is stored',
    async () => {
      const reported: SavedDoc[] = [];
      const others: unknown[] = [];
      const all = everyByte(BULK, bytes);
      for (const spoiling of all) {
        bench.proxy.spoil(spoiling);
        for (const result of await bench.db.putMany(docsFor(spoiling, 'once'))) {
          if (result.ok) reported.push(result.doc);
          else others.push([spoiling, result]);
        }
      }
      expect(others).toEqual([]);
      expect(reported).toHaveLength(all.length * 2);
      expect([...(await storedOf(reported)).values()]).toEqual(reported);
      expect(new Set(bench.events.map(({ kind }) => kind))).toEqual(new Set(['read_back']));
      expect(bench.events.length).toBeGreaterThan(all.length - 20);
    },
    PATIENCE_MS,
  );

  it(
    'to a bulk write and its reading back is unknown, and a repeat finds it done',
    async () => {
      const written: StoredDoc[] = [];
      const reported: SavedDoc[] = [];
      const others: unknown[] = [];
      let unknown = 0;
      for (const spoiling of everyByte(BULK_AND_LOOK_UP, bytes)) {
        const docs = docsFor(spoiling, 'dark');
        written.push(...docs);
        bench.proxy.spoil(spoiling);
        try {
          for (const result of await bench.db.putMany(docs)) {
            if (result.ok) reported.push(result.doc);
            else others.push([spoiling, result]);
          }
        } catch (error) {
          const reason = error instanceof AppError ? `${error.code} ${error.reason}` : error;
          if (reason === 'unavailable store_write_unknown') unknown += 1;
          else others.push([spoiling, reason]);
        }
      }
      expect(others).toEqual([]);
      expect(unknown).toBeGreaterThan(everyByte(BULK, bytes).length - 20);
      expect([...(await storedOf(reported)).values()]).toEqual(reported);

      bench.proxy.turn('fine');
      const repeated = await bench.db.putMany(written);
      const stored = await storedOf(written);
      expect(repeated).toEqual(written.map(({ _id }) => ({ ok: true, doc: stored.get(_id) })));
    },
    PATIENCE_MS,
  );
});
