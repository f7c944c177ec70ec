import { type CouchAnswer, callCouch } from '../support/couch-call.js';
import { json, ownDatabases, REV } from '../support/own-databases.js';

// What the service and its tools count on: true of CouchDB 3.5 and of the embedded store.

const { cleanUp, newDatabase, put, remove } = ownDatabases();

afterAll(cleanUp);

describe('_all_docs', () => {
  let db = '';
  let gone = '';

  beforeAll(async () => {
    db = await newDatabase();
    for (const id of ['a', 'b', 'c', 'd']) await put(db, id, { v: id });
    gone = await remove(db, 'd', await put(db, 'd0').then(() => revOf('d')));
    await put(db, '_design/z', { views: {} });
  });

  async function revOf(id: string): Promise<string> {
    return (await callCouch('GET', `${db}/${id}`)).json._rev;
  }

  const ids = (answer: CouchAnswer): string[] =>
    answer.json.rows.map((row: { id: string }) => row.id);

  it.each([
    ['', ['_design/z', 'a', 'b', 'c', 'd0'], 0],
    ['?descending=true', ['d0', 'c', 'b', 'a', '_design/z'], 0],
    ['?startkey="b"', ['b', 'c', 'd0'], 2],
    ['?startkey="b"&endkey="c"', ['b', 'c'], 2],
    ['?startkey="b"&endkey="c"&inclusive_end=false', ['b'], 2],
    ['?startkey="c"&endkey="b"&descending=true', ['c', 'b'], 1],
    ['?start_key="b"&limit=1', ['b'], 2],
    ['?skip=1&limit=2', ['a', 'b'], 1],
    ['?key="c"', ['c'], 3],
    ['?limit=0', [], 0],
  ])('with %s gives the right rows', async (query, expected, offset) => {
    const answer = await callCouch('GET', `${db}/_all_docs${query.replaceAll('"', '%22')}`);
    expect(ids(answer)).toEqual(expected);
    expect(answer.json).toMatchObject({ total_rows: 5, offset });
  });

  it('gives rows of keys in their order, deleted and missing ones included', async () => {
    const body = { keys: ['d', 'b', 'nope', 'a'], include_docs: true };
    const { json: answer } = await callCouch('POST', `${db}/_all_docs`, { body });
    expect(answer).toMatchObject({ total_rows: 5, offset: null });
    expect(answer.rows).toEqual([
      { id: 'd', key: 'd', value: { rev: gone, deleted: true }, doc: null },
      { id: 'b', key: 'b', value: { rev: REV }, doc: { _id: 'b', _rev: REV, v: 'b' } },
      { key: 'nope', error: 'not_found' },
      { id: 'a', key: 'a', value: { rev: REV }, doc: { _id: 'a', _rev: REV, v: 'a' } },
    ]);
  });

  it('takes keys in the query too', async () => {
    expect(ids(await callCouch('GET', `${db}/_all_docs?keys=${json(['c', 'a'])}`))).toEqual([
      'c',
      'a',
    ]);
  });

  it('gives the documents on request', async () => {
    const query = 'include_docs=true&startkey=%22a%22&limit=1';
    const { json: answer } = await callCouch('GET', `${db}/_all_docs?${query}`);
    const rev = await revOf('a');
    expect(answer.rows).toEqual([
      { id: 'a', key: 'a', value: { rev }, doc: { _id: 'a', _rev: rev, v: 'a' } },
    ]);
  });

  it('answers several queries at once', async () => {
    const body = { queries: [{ keys: ['a'] }, { startkey: 'b', limit: 1 }] };
    const { json: answer } = await callCouch('POST', `${db}/_all_docs/queries`, { body });
    expect(answer.results.map((one: { rows: { id: string }[] }) => one.rows[0]?.id)).toEqual([
      'a',
      'b',
    ]);
  });

  it('lists design documents alone', async () => {
    expect(ids(await callCouch('GET', `${db}/_design_docs`))).toEqual(['_design/z']);
  });
});
