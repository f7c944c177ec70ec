import { databases } from '../../src/couch/databases.js';
import { designsOf } from '../../src/couch/designs.js';
import type { Database } from '../../src/couch/types.js';
import { failure, openOwnCouch } from './own-couch.js';

const own = openOwnCouch();
const { couch } = own;

afterAll(() => own.cleanUp());

describe('views', () => {
  const name = ['fruit', 'by_colour'] as const;
  let fruit: Database;

  beforeAll(async () => {
    await couch.createDatabase(databases.accounts);
    fruit = couch.database(databases.accounts);
    const map = '(function map(doc) { if (doc.colour) emit([doc.colour, doc._id], doc.n); })';
    await designsOf(couch, databases.accounts).put({
      _id: '_design/fruit',
      language: 'javascript',
      views: { by_colour: { map, reduce: '_sum' } },
    });
    await fruit.putMany([
      { _id: 'apple', colour: 'red', n: 1 },
      { _id: 'cherry', colour: 'red', n: 2 },
      { _id: 'lemon', colour: 'yellow', n: 4 },
      { _id: 'stone' },
    ]);
  });

  const red = [
    { id: 'apple', key: ['red', 'apple'], value: 1 },
    { id: 'cherry', key: ['red', 'cherry'], value: 2 },
  ];

  test('answer keys, ranges, order and pages', async () => {
    const lemon = { id: 'lemon', key: ['yellow', 'lemon'], value: 4 };
    expect(await fruit.view(name, { limit: 9 })).toEqual([...red, lemon]);
    expect(await fruit.view(name, { key: ['yellow', 'lemon'], limit: 9 })).toEqual([lemon]);
    const keys = [['yellow', 'lemon'], ['nothing'], ['red', 'apple']];
    expect(await fruit.view(name, { keys, limit: 9 })).toEqual([lemon, red[0]]);
    const range = { startKey: ['red'], endKey: ['red', {}] };
    expect(await fruit.view(name, { ...range, limit: 9 })).toEqual(red);
    const backwards = { startKey: ['red', {}], endKey: ['red'], descending: true };
    expect(await fruit.view(name, { ...backwards, limit: 9 })).toEqual([...red].reverse());
    expect(await fruit.view(name, { skip: 1, limit: 1 })).toEqual([red[1]]);
    const exclusive = { endKey: ['red', 'cherry'], inclusiveEnd: false };
    expect(await fruit.view(name, { ...exclusive, limit: 9 })).toEqual([red[0]]);
    expect(await fruit.view(name, { startKey: ['zzz'], limit: 9 })).toEqual([]);
  });

  test('take keys of any length', async () => {
    const long = 'x'.repeat(20_000);
    const range = { startKey: ['red', 'b'], endKey: ['red', long], descending: false };
    expect(await fruit.view(name, { ...range, inclusiveEnd: true, limit: 9 })).toEqual([red[1]]);
    expect(await fruit.view(name, { ...range, skip: 1, limit: 9 })).toEqual([]);
    expect(await fruit.view(name, { key: [long], limit: 9 })).toEqual([]);
  });

  test('go on from a row whose key others share', async () => {
    const shared = { startKey: ['red', 'apple'], startKeyDocId: 'b', limit: 9 };
    expect((await fruit.view(name, shared))[0]).toEqual(red[1]);
  });

  test('bring the documents when asked', async () => {
    const [row] = await fruit.view(name, { limit: 1, includeDocs: true });
    expect(row).toEqual({ ...red[0], doc: await fruit.get('apple') });
  });

  test('reduce when asked, by group or over all', async () => {
    expect(await fruit.view(name, { reduce: true, groupLevel: 1, limit: 9 })).toEqual([
      { key: ['red'], value: 3 },
      { key: ['yellow'], value: 4 },
    ]);
    expect(await fruit.view(name, { reduce: true, limit: 9 })).toEqual([{ key: null, value: 7 }]);
    expect(
      await fruit.view(name, { reduce: true, group: true, keys: [['red', 'apple']], limit: 9 }),
    ).toEqual([{ key: ['red', 'apple'], value: 1 }]);
  });

  test('that are not deployed yet make the service unavailable and not empty', async () => {
    const expected = { code: 'unavailable', reason: 'view_missing' };
    expect(await failure(fruit.view(['fruit', 'by_taste'], { limit: 1 }))).toMatchObject(expected);
    expect(await failure(fruit.view(['meat', 'x'], { limit: 1 }))).toMatchObject(expected);
  });
});
