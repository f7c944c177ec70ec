import { AppError } from '../../src/core/errors.js';
import {
  type CuttingBench,
  everyByteOnce,
  FRAMINGS,
  openCuttingBench,
  PATIENCE_MS,
} from './cutting-bench.js';

const READS = [
  ['document', /^GET \/\S+claims\/there /, ({ db }: CuttingBench) => db.find('there')],
  [
    'view',
    /^GET \/\S+\/_view\/by_colour/,
    ({ db }: CuttingBench) => db.view(['cut', 'by_colour'], { limit: 10 }),
  ],
] as const;

/** What may be missing at most where the value is whole: the end of its framing. */
const FRAME_BYTES = 8;

describe.each(FRAMINGS)('an answer %s', (framing, everyByte) => {
  let bench: CuttingBench;

  beforeAll(async () => {
    bench = await openCuttingBench(framing);
  });
  beforeEach(() => {
    bench.events.length = 0;
  });
  afterEach(() => bench.proxy.turn('fine'));
  afterAll(() => bench.close());

  it.each(READS)(
    'to each read of a %s, cut at any byte, is never believed',
    async (...given) => {
      const [, request, read] = given;
      const right = JSON.stringify(await read(bench));
      const all = everyByte(request, await bench.measure(request, () => read(bench)));
      const wrong: unknown[] = [];
      let believed = 0;
      for (const spoiling of all) {
        bench.proxy.spoil(spoiling);
        try {
          const value = JSON.stringify(await read(bench));
          if (value === right) believed += 1;
          else wrong.push([spoiling, value]);
        } catch (error) {
          const code = error instanceof AppError ? error.code : String(error);
          if (code !== 'bad_gateway' && code !== 'unavailable') wrong.push([spoiling, code]);
        }
      }
      expect(wrong).toEqual([]);
      expect(believed).toBeGreaterThanOrEqual(1);
      expect(believed).toBeLessThanOrEqual(2 * FRAME_BYTES);
      expect(new Set(bench.events.map(({ kind }) => kind))).toEqual(new Set(['retry']));
    },
    PATIENCE_MS,
  );

  it.each(READS)(
    'to one read of a %s, cut at any byte, is asked for again',
    async (...given) => {
      const [, request, read] = given;
      const right = JSON.stringify(await read(bench));
      const bytes = await bench.measure(request, () => read(bench));
      const wrong: unknown[] = [];
      for (const spoiling of everyByteOnce(request, bytes)) {
        bench.proxy.spoil({ ...spoiling, nth: 1 });
        const value = JSON.stringify(await read(bench));
        if (value !== right) wrong.push([spoiling, value]);
      }
      expect(wrong).toEqual([]);
      expect(bench.events.length).toBeGreaterThanOrEqual(bytes - FRAME_BYTES);
      expect(new Set(bench.events.map(({ kind }) => kind))).toEqual(new Set(['retry']));
    },
    PATIENCE_MS,
  );
});
