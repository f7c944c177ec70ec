import { type CouchAnswer, callCouch } from '../support/couch-call.js';
import { json, ownDatabases, REV } from '../support/own-databases.js';

// What the service and its tools count on: true of CouchDB 3.5 and of the embedded store.

const { cleanUp, newDatabase, put, remove } = ownDatabases();

afterAll(cleanUp);

describe('a view', () => {
  const map = (body: string): string => `(function map(doc) {\n  ${body}\n})`;
  const design = {
    views: {
      by_n: { map: map('emit(doc.n, doc.t);'), reduce: '_count' },
      by_group: { map: map('emit([doc.t, doc.n], doc.n);'), reduce: '_sum' },
      stats: { map: map('emit(doc.t, doc.n);'), reduce: '_stats' },
      custom: {
        map: map('emit(doc.t, doc.n);'),
        reduce: 'function (keys, values, rereduce) { return sum(values) * 1; }',
      },
      throws: { map: map('emit(doc.n, 1); if (doc.n === 3) throw new Error("no");') },
      linked: { map: map('emit(doc.n, { _id: "v1" });') },
      globals: {
        map: map('log("x"); if (isArray(doc.list)) emit(sum(doc.list), toJSON({ a: 1 })); emit();'),
      },
      collation: {
        map: map(
          'if (doc.n === 1) [{}, [], "b", "B", "a", "A", "aa", "\u00e9", "f", "1", "_", 10, 2,' +
            ' true, false, null, [1], [1, 2], { a: 1 }].forEach(function (k) { emit(k); });',
        ),
      },
    },
  };
  let db = '';

  beforeAll(async () => {
    db = await newDatabase();
    for (const n of [3, 1, 5, 2, 4]) {
      await put(db, `v${n}`, { n, t: n % 2 ? 'odd' : 'even', list: [n, n] });
    }
    await put(db, '_design/d', design);
  });

  async function query(view: string, parameters: Record<string, unknown>): Promise<CouchAnswer> {
    const text = Object.entries(parameters).map(([name, value]) => `${name}=${json(value)}`);
    return callCouch('GET', `${db}/_design/d/_view/${view}?${text.join('&')}`);
  }

  const keys = (answer: CouchAnswer): unknown[] =>
    answer.json.rows.map((row: { key: unknown }) => row.key);

  it.each<[Record<string, unknown>, number[], number]>([
    [{}, [1, 2, 3, 4, 5], 0],
    [{ descending: true }, [5, 4, 3, 2, 1], 0],
    [{ startkey: 2, endkey: 4 }, [2, 3, 4], 1],
    [{ startkey: 2, endkey: 4, inclusive_end: false }, [2, 3], 1],
    [{ startkey: 4, endkey: 2, descending: true }, [4, 3, 2], 1],
    [{ startkey: 4, endkey: 2, descending: true, inclusive_end: false }, [4, 3], 1],
    [{ start_key: 3, limit: 1 }, [3], 2],
    [{ end_key: 2 }, [1, 2], 0],
    [{ key: 3 }, [3], 2],
    [{ skip: 3 }, [4, 5], 3],
    [{ skip: 1, limit: 2 }, [2, 3], 1],
    [{ limit: 0 }, [], 0],
  ])('with %j gives the right rows', async (parameters, expected, offset) => {
    const answer = await query('by_n', { reduce: false, ...parameters });
    expect(keys(answer)).toEqual(expected);
    expect(answer.json).toMatchObject({ total_rows: 5, offset });
  });

  it('gives id, key and value of a row, and the document on request', async () => {
    const plain = await query('by_n', { reduce: false, key: 2 });
    const whole = await query('by_n', { reduce: false, key: 2, include_docs: true });
    expect(plain.json.rows).toEqual([{ id: 'v2', key: 2, value: 'even' }]);
    expect(whole.json.rows).toEqual([
      { id: 'v2', key: 2, value: 'even', doc: expect.objectContaining({ _id: 'v2', _rev: REV }) },
    ]);
  });

  it('gives the rows of keys, by GET and by POST', async () => {
    const got = await query('by_n', { reduce: false, keys: [4, 9, 2] });
    const posted = await callCouch('POST', `${db}/_design/d/_view/by_n?reduce=false`, {
      body: { keys: [4, 9, 2] },
    });
    expect(keys(got)).toEqual([4, 2]);
    expect(keys(posted)).toEqual([4, 2]);
  });

  it('takes its parameters from a body', async () => {
    const { json: answer } = await callCouch('POST', `${db}/_design/d/_view/by_n`, {
      body: { reduce: false, startkey: 4, limit: 1 },
    });
    expect(answer.rows.map((row: { id: string }) => row.id)).toEqual(['v4']);
  });

  it('continues among equal keys at a document id', async () => {
    const first = await query('stats', { reduce: false, startkey: 'odd', limit: 2 });
    const rest = await callCouch(
      'GET',
      `${db}/_design/d/_view/stats?reduce=false&startkey=%22odd%22&startkey_docid=v5`,
    );
    expect(first.json.rows.map((row: { id: string }) => row.id)).toEqual(['v1', 'v3']);
    expect(rest.json.rows.map((row: { id: string }) => row.id)).toEqual(['v5']);
  });

  it.each<[string, Record<string, unknown>, unknown[]]>([
    ['by_n', {}, [{ key: null, value: 5 }]],
    ['by_n', { startkey: 4 }, [{ key: null, value: 2 }]],
    ['by_n', { startkey: 40 }, []],
    [
      'by_n',
      { keys: [4, 1], group: true },
      [
        { key: 4, value: 1 },
        { key: 1, value: 1 },
      ],
    ],
    [
      'by_group',
      { group_level: 1 },
      [
        { key: ['even'], value: 6 },
        { key: ['odd'], value: 9 },
      ],
    ],
    ['by_group', { group_level: 1, skip: 1 }, [{ key: ['odd'], value: 9 }]],
    ['by_group', { group: true, limit: 1 }, [{ key: ['even', 2], value: 2 }]],
    ['by_group', { group_level: 1, descending: true, limit: 1 }, [{ key: ['odd'], value: 9 }]],
    [
      'stats',
      { group: true, key: 'even' },
      [{ key: 'even', value: { sum: 6, count: 2, min: 2, max: 4, sumsqr: 20 } }],
    ],
    [
      'custom',
      { group: true },
      [
        { key: 'even', value: 6 },
        { key: 'odd', value: 9 },
      ],
    ],
    ['custom', {}, [{ key: null, value: 15 }]],
  ])('reduces %s with %j', async (view, parameters, rows) => {
    expect((await query(view, parameters)).json).toEqual({ rows });
  });

  it('leaves out only the documents its map throws on', async () => {
    expect(keys(await query('throws', {}))).toEqual([1, 2, 4, 5]);
  });

  it('follows a link to another document', async () => {
    const { json: answer } = await query('linked', { include_docs: true, key: 4 });
    expect(answer.rows[0]).toMatchObject({ id: 'v4', doc: { _id: 'v1' } });
  });

  it('has the globals of the view server', async () => {
    const { json: answer } = await query('globals', { limit: 6 });
    expect(answer.rows.slice(4)).toEqual([
      { id: 'v5', key: null, value: null },
      { id: 'v1', key: 2, value: '{"a":1}' },
    ]);
  });

  it('orders keys of every type, strings as Unicode does', async () => {
    expect(keys(await query('collation', {}))).toEqual([
      null,
      false,
      true,
      2,
      10,
      '_',
      '1',
      'a',
      'A',
      'aa',
      'b',
      'B',
      '\u00e9',
      'f',
      [],
      [1],
      [1, 2],
      {},
      { a: 1 },
    ]);
  });

  it('tells the seq it answers for', async () => {
    const { json: answer } = await query('by_n', { reduce: false, limit: 1, update_seq: true });
    expect(answer.update_seq).toMatch(/^\d+-/);
  });

  it('answers several queries at once', async () => {
    const body = { queries: [{ reduce: false, key: 1 }, { startkey: 3 }] };
    const path = `${db}/_design/d/_view/by_n/queries`;
    expect((await callCouch('POST', path, { body })).json).toEqual({
      results: [
        { total_rows: 5, offset: 0, rows: [{ id: 'v1', key: 1, value: 'odd' }] },
        { rows: [{ key: null, value: 3 }] },
      ],
    });
  });

  it('follows writes, changes and deletions', async () => {
    const own = await newDatabase();
    await put(own, '_design/d', { views: { v: { map: map('emit(doc.k, null);') } } });
    const view = async (): Promise<unknown[]> =>
      keys(await callCouch('GET', `${own}/_design/d/_view/v`));
    expect(await view()).toEqual([]);
    const first = await put(own, 'a', { k: 1 });
    await put(own, 'b', { k: 2 });
    expect(await view()).toEqual([1, 2]);
    const { json: changed } = await callCouch('PUT', `${own}/a?rev=${first}`, { body: { k: 3 } });
    expect(await view()).toEqual([2, 3]);
    await remove(own, 'a', changed.rev);
    expect(await view()).toEqual([2]);
  });

  it('changes with its design document', async () => {
    const own = await newDatabase();
    await put(own, 'a', { k: 1, l: 2 });
    const rev = await put(own, '_design/d', { views: { v: { map: map('emit(doc.k);') } } });
    expect(keys(await callCouch('GET', `${own}/_design/d/_view/v`))).toEqual([1]);
    const body = { _rev: rev, views: { v: { map: map('emit(doc.l);') } } };
    await callCouch('PUT', `${own}/_design/d`, { body });
    expect(keys(await callCouch('GET', `${own}/_design/d/_view/v`))).toEqual([2]);
  });

  it('is described by _info', async () => {
    const { json: info } = await callCouch('GET', `${db}/_design/d/_info`);
    expect(info).toMatchObject({
      name: 'd',
      view_index: { language: 'javascript', signature: expect.stringMatching(/^[0-9a-f]{32}$/) },
    });
  });
});
