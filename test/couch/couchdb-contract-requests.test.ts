import { type CouchAnswer, callCouch } from '../support/couch-call.js';
import { ownDatabases, REV } from '../support/own-databases.js';

// What the service and its tools count on: true of CouchDB 3.5 and of the embedded store.

const { cleanUp, newDatabase, put } = ownDatabases();

afterAll(cleanUp);

let db = '';

beforeAll(async () => {
  db = await newDatabase();
  for (const id of ['a', 'b', 'c']) await put(db, id, { v: id });
  await put(db, '_design/d', { views: { v: { map: 'function (doc) { emit(doc.v, 1); }' } } });
});

describe('a bulk write', () => {
  it.each<[string, object, number, string, string]>([
    [
      'docs that are no list',
      { docs: 5 },
      400,
      'bad_request',
      '`docs` parameter must be an array.',
    ],
    [
      'documents that are none',
      { docs: [5] },
      400,
      'bad_request',
      'Document must be a JSON object',
    ],
    [
      'a revision that is none',
      { docs: [{ _rev: 'x' }] },
      400,
      'bad_request',
      'Invalid rev format',
    ],
    [
      'no revisions where they are asked for',
      { new_edits: false, docs: [{ _id: 'x' }] },
      400,
      'bad_request',
      'When `new_edits: false`, the document needs `_rev` or `_revisions` specified',
    ],
  ])('with %s is refused', async (_, body, status, error, reason) => {
    const answer = await callCouch('POST', `${db}/_bulk_docs`, { body });
    expect(answer).toMatchObject({ status, json: { error, reason } });
  });

  it.each([
    ['the wrong shape', { views: 5 }, 'invalid_design_doc'],
    ['a map that does not compile', { views: { v: { map: 'function (' } } }, 'compilation_error'],
  ])('refuses only the design document with %s', async (_, design, error) => {
    const own = await newDatabase();
    const docs = [{ _id: 'good' }, { _id: '_design/bad', ...design }];
    const { status, json: results } = await callCouch('POST', `${own}/_bulk_docs`, {
      body: { docs },
    });
    expect(status).toBe(201);
    expect(results).toEqual([
      { ok: true, id: 'good', rev: REV },
      { id: '_design/bad', error, reason: expect.any(String) },
    ]);
  });

  it('refuses a bad design document from elsewhere', async () => {
    const own = await newDatabase();
    const docs = [{ _id: '_design/bad', _rev: '1-a', views: { v: { map: 'function (' } } }];
    const { json: results } = await callCouch('POST', `${own}/_bulk_docs`, {
      body: { docs, new_edits: false },
    });
    expect(results).toMatchObject([{ id: '_design/bad', rev: '1-a', error: 'compilation_error' }]);
  });
});

describe('lists of queries', () => {
  const post = (path: string, body: object): Promise<CouchAnswer> =>
    callCouch('POST', `${db}/${path}`, { body });

  it('are answered for design documents', async () => {
    const { json: answer } = await post('_design_docs/queries', { queries: [{ limit: 1 }, {}] });
    expect(answer.results).toMatchObject([
      { total_rows: 1, rows: [{ id: '_design/d' }] },
      { total_rows: 1, rows: [{ id: '_design/d' }] },
    ]);
  });

  it('of design documents by key say what is missing', async () => {
    const { json: answer } = await post('_design_docs', { keys: ['_design/d', '_design/x'] });
    expect(answer.rows).toEqual([
      { id: '_design/d', key: '_design/d', value: { rev: REV } },
      { key: '_design/x', error: 'not_found' },
    ]);
  });

  it.each(['_all_docs/queries', '_design_docs/queries'])('are needed by %s', async (path) => {
    expect(await post(path, {})).toMatchObject({
      status: 400,
      json: { reason: 'POST body must include `queries` parameter.' },
    });
  });

  it('are not taken by the view itself', async () => {
    expect(await post('_design/d/_view/v', { queries: [{}] })).toMatchObject({
      status: 400,
      json: { reason: 'The `queries` parameter is no longer supported at this endpoint' },
    });
  });
});

describe('changes', () => {
  const rows = async (query: string): Promise<{ id: string }[]> =>
    (await callCouch('GET', `${db}/_changes?${query}`)).json.results;

  it('are none with a limit of 0', async () => {
    expect(await rows('limit=0')).toEqual([]);
  });

  it('come backwards on request', async () => {
    const forth = (await rows('')).map(({ id }) => id);
    const back = (await rows('descending=true')).map(({ id }) => id);
    expect(back.slice().sort()).toEqual(forth.slice().sort());
    expect(await rows('descending=true&limit=1')).toHaveLength(1);
  });

  it('come as events', async () => {
    const path = `${db}/_changes?feed=eventsource&timeout=10&limit=1`;
    const { headers, text } = await callCouch('GET', path);
    expect(headers['content-type']).toBe('text/event-stream');
    expect(text).toMatch(/^data: \{"seq":.*\}\nid: /);
  });

  it('say what a heartbeat is', async () => {
    const answer = await callCouch('GET', `${db}/_changes?feed=continuous&heartbeat=x`);
    expect(answer).toMatchObject({
      status: 400,
      json: {
        reason: 'Invalid heartbeat value. Expecting a positive integer value (in milliseconds).',
      },
    });
  });

  it('are filtered by what a view emits for', async () => {
    const own = await newDatabase();
    const map = 'function (doc) { if (doc.yes) emit(doc._id); }';
    await put(own, '_design/d', { views: { v: { map } } });
    await put(own, 'yes', { yes: true });
    await put(own, 'no', { yes: false });
    const { json: body } = await callCouch('GET', `${own}/_changes?filter=_view&view=d/v`);
    expect(body.results.map(({ id }: { id: string }) => id)).toEqual(['yes']);
  });

  it('end with an error when their filter never does', async () => {
    const own = await newDatabase();
    await put(own, 'a');
    await put(own, '_design/d', { filters: { f: 'function (doc) { for (;;) {} }' } });
    const answer = await callCouch('GET', `${own}/_changes?filter=d/f`);
    expect(answer.status).toBe(500);
    expect((await callCouch('GET', `${own}/a`)).status).toBe(200);
  });
});

describe('mango refuses', () => {
  it.each<[string, object, number, string, string]>([
    [
      '_find',
      { selector: 5 },
      400,
      'invalid_selector_json',
      'Selector must be a JSON object, not: 5',
    ],
    [
      '_find',
      { selector: {}, limit: -1 },
      400,
      'invalid_non_neg_integer',
      '-1 is not an integer greater than or equal to zero',
    ],
    [
      '_find',
      { selector: {}, fields: 5 },
      400,
      'invalid_fields',
      'Fields must be an array of strings, not: 5',
    ],
    [
      '_find',
      { selector: {}, sort: 5 },
      400,
      'invalid_sort_json',
      'Sort must be an array of sort specs, not: 5',
    ],
    [
      '_find',
      { selector: {}, bookmark: 'zz' },
      400,
      'invalid_bookmark',
      'Invalid bookmark value: "zz"',
    ],
    ['_find', { selector: {}, nope: 1 }, 400, 'invalid_key', 'Invalid key nope for this request.'],
    ['_index', {}, 400, 'missing_required_key', 'Missing required key: index'],
    [
      '_index',
      { index: { fields: ['a'] }, type: 'text' },
      503,
      'required index service unavailable',
      'text',
    ],
  ])('POST %s %j', async (path, body, status, error, reason) => {
    const answer = await callCouch('POST', `${db}/${path}`, { body });
    expect(answer).toMatchObject({ status, json: { error, reason } });
  });

  it('deletes several indexes at once, and says which were not there', async () => {
    const own = await newDatabase();
    const body = { index: { fields: ['a'] }, ddoc: 'one', name: 'i' };
    await callCouch('POST', `${own}/_index`, { body });
    const answer = await callCouch('POST', `${own}/_index/_bulk_delete`, {
      body: { docids: ['_design/one', '_design/nope'] },
    });
    expect(answer.json).toEqual({
      success: [{ id: '_design/one', ok: true }],
      fail: [{ id: '_design/nope', error: 'not_found' }],
    });
    expect((await callCouch('GET', `${own}/_index`)).json.total_rows).toBe(1);
  });
});

describe('functions that run away', () => {
  const FOREVER = 'function (doc) { for (;;) {} }';

  it.each([
    ['a map', { views: { v: { map: FOREVER } } }],
    ['an expression', { views: { v: { map: FOREVER }, w: { map: 'function () {}' } } }],
  ])('as %s end their view alone', async (_, design) => {
    const own = await newDatabase();
    await put(own, 'a');
    await put(own, '_design/bad', design);
    await put(own, '_design/good', { views: { v: { map: 'function (d) { emit(d._id); }' } } });
    const [bad, good, doc] = await Promise.all([
      callCouch('GET', `${own}/_design/bad/_view/v`),
      callCouch('GET', `${own}/_design/good/_view/v`),
      callCouch('GET', `${own}/a`),
    ]);
    expect(bad).toMatchObject({ status: 500, json: { error: 'os_process_error' } });
    expect(good.json.total_rows).toBe(1);
    expect(doc.status).toBe(200);
  });

  it('as a validation keep the document out', async () => {
    const own = await newDatabase();
    await put(own, '_design/bad', { validate_doc_update: FOREVER });
    const answer = await callCouch('PUT', `${own}/a`, { body: {} });
    expect(answer).toMatchObject({ status: 500, json: { error: 'os_process_error' } });
    expect((await callCouch('GET', `${own}/a`)).status).toBe(404);
  });
});
