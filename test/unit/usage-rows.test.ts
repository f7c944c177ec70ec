import { Readable } from 'node:stream';
import fc from 'fast-check';
import { readUsageRows, type UsageRow } from '../../src/resources/usage/usage.csv-records.js';

const OPTIONS = { carrier: 'sprint', nowMs: Date.UTC(2026, 10, 22), isGrowing: false };
const START = '2026-11-01T00:00:00Z';

/** The rows of a file that comes in pieces. */
async function rowsOf(
  pieces: readonly (string | Buffer)[],
  options: Partial<typeof OPTIONS> = {},
): Promise<UsageRow[]> {
  const rows: UsageRow[] = [];
  for await (const part of readUsageRows(Readable.from(pieces), { ...OPTIONS, ...options })) {
    rows.push(...part);
  }
  return rows;
}

const text = [
  '\ufeffIMSI, MDN ,Bytes,session_id,start,plan',
  `1,+14155550100,5,s1,${START},"a ""b"", c"`,
  '',
  `,4155550101,0,,${START},é漢字`,
  `,4155550101,0,"s,3",${START},`,
  'x'.repeat(9_000),
  `,4155550101,7,,${START},`,
].join('\r\n');

test('the columns of a file stand in any order, with others between them', async () => {
  const common = { carrier: 'sprint', month: '202611', isFinal: true, start: 63_960_710_400 };
  expect(await rowsOf([text])).toEqual([
    { line: 2, record: { ...common, id: 'sprint:s1', mdn: '+14155550100', bytes: 5 } },
    {
      line: 4,
      record: {
        ...common,
        id: expect.stringMatching(/^sprint:[0-9a-f]{64}:4$/),
        mdn: '+14155550101',
        bytes: 0,
      },
    },
    { line: 5, record: { ...common, id: 'sprint:s%2C3', mdn: '+14155550101', bytes: 0 } },
    { line: 6, fault: 'longer than 4000 characters' },
    {
      line: 7,
      record: {
        ...common,
        id: expect.stringMatching(/^sprint:[0-9a-f]{64}:7$/),
        mdn: '+14155550101',
        bytes: 7,
      },
    },
  ]);
});

test('where the pieces of a file are cut makes no difference', async () => {
  const bytes = Buffer.from(text);
  const whole = await rowsOf([bytes]);
  await fc.assert(
    fc.asyncProperty(fc.uniqueArray(fc.nat(bytes.length)), async (places) => {
      const cuts = [0, ...places.toSorted((a, b) => a - b), bytes.length];
      const pieces = cuts.slice(1).map((end, n) => bytes.subarray(cuts[n], end));
      expect(await rowsOf(pieces)).toEqual(whole);
    }),
    { numRuns: 50 },
  );
});

describe('the last line of a file that may still grow', () => {
  const heading = 'session_id,start,mdn,bytes';
  const growing = { isGrowing: true };

  test('waits for its end when it has no session id or lacks columns', async () => {
    expect(await rowsOf([`${heading}\n,${START},+14155550100,1`], growing)).toEqual([]);
    expect(await rowsOf([`${heading}\ns1,${START},+1415`], growing)).toEqual([]);
    expect(await rowsOf([`${heading}\n"s1,${START},+14155550100,1`], growing)).toEqual([]);
  });

  test('counts when it is whole: should it go on, more bytes beat fewer', async () => {
    const line = `s1,${START},+14155550100,1`;
    expect(await rowsOf([`${heading}\n${line}`], growing)).toMatchObject([
      { line: 2, record: { bytes: 1 } },
    ]);
  });

  test('may be the heading, and there may be nothing at all', async () => {
    expect(await rowsOf(['session_id,sta'], growing)).toEqual([]);
    expect(await rowsOf([], growing)).toEqual([]);
  });

  test('counts in a file that does not grow', async () => {
    expect(await rowsOf([`${heading}\n,${START},+14155550100,1`])).toHaveLength(1);
    expect(await rowsOf([`${heading}\ns1,${START},+1415`])).toEqual([
      { line: 2, fault: '3 columns in place of 4' },
    ]);
  });
});

test('ids fit into the store however long a session id is', async () => {
  const heading = 'session_id,start,mdn,bytes';
  const session = '漢'.repeat(1_000);
  const [row] = await rowsOf([`${heading}\n${session},${START},+14155550100,1\n`]);
  expect(row).toMatchObject({ record: { id: expect.stringMatching(/^sprint:[0-9a-f]{64}$/) } });
});
