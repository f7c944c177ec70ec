import { request } from 'node:http';
import { type CouchAnswer, callCouch } from '../support/couch-call.js';
import { destroyDatabases, storeLogin, uniquePrefix } from '../support/store.js';

// Feeds, mango and refusals: true of CouchDB 3.5 and of the embedded store.

const prefix = uniquePrefix();
let databases = 0;

afterAll(() => destroyDatabases(prefix));

async function newDatabase(): Promise<string> {
  databases += 1;
  const path = `/${encodeURIComponent(`${prefix}feeds/${databases}`)}`;
  expect((await callCouch('PUT', path)).status).toBe(201);
  return path;
}

async function put(db: string, id: string, doc: object = {}): Promise<string> {
  const answer = await callCouch('PUT', `${db}/${encodeURIComponent(id)}`, { body: doc });
  expect(answer.status).toBe(201);
  return answer.json.rev;
}

const changedIds = (answer: CouchAnswer): string[] =>
  answer.json.results.map((change: { id: string }) => change.id).sort();

describe('_changes', () => {
  let db = '';
  let revs: Record<string, string> = {};

  beforeAll(async () => {
    db = await newDatabase();
    revs = { a: await put(db, 'a', { n: 1 }), b: await put(db, 'b', { n: 2 }) };
    const gone = await put(db, 'gone', { n: 3 });
    const body = { _rev: gone, _deleted: true, n: 3 };
    revs['gone'] = (await callCouch('PUT', `${db}/gone`, { body })).json.rev;
    const filters = {
      big: 'function (doc, req) { return doc.n >= Number(req.query.least); }',
    };
    await put(db, '_design/d', { filters });
  });

  it('tells the last change of every document, deletions too', async () => {
    const { json: body } = await callCouch('GET', `${db}/_changes`);
    const plain = body.results.filter((change: { id: string }) => change.id !== '_design/d');
    const wanted = ['a', 'b', 'gone'].map((id) => ({
      id,
      seq: expect.stringMatching(/^\d+-/),
      changes: [{ rev: revs[id] }],
      ...(id === 'gone' ? { deleted: true } : {}),
    }));
    expect(plain).toHaveLength(3);
    expect(plain).toEqual(expect.arrayContaining(wanted));
    expect(body.pending).toBe(0);
  });

  it('goes on from a seq, page by page, until nothing is left', async () => {
    const seen: string[] = [];
    let since = '0';
    for (let page = 0; page < 4; page += 1) {
      const answer = await callCouch('GET', `${db}/_changes?limit=1&since=${since}`);
      seen.push(...changedIds(answer));
      since = encodeURIComponent(answer.json.last_seq);
    }
    const rest = await callCouch('GET', `${db}/_changes?since=${since}`);
    expect(seen.sort()).toEqual(['_design/d', 'a', 'b', 'gone']);
    expect(rest.json.results).toEqual([]);
  });

  it('tells nothing of the past from now on', async () => {
    const { json: body } = await callCouch('GET', `${db}/_changes?since=now`);
    expect(body.results).toEqual([]);
    expect(body.last_seq).toMatch(/^\d+-/);
  });

  it('brings documents, deleted ones as tombstones', async () => {
    const { json: body } = await callCouch('GET', `${db}/_changes?include_docs=true`);
    const docs = body.results.map((change: { doc: object }) => change.doc);
    expect(docs).toEqual(
      expect.arrayContaining([
        { _id: 'a', _rev: revs['a'], n: 1 },
        { _id: 'gone', _rev: revs['gone'], _deleted: true, n: 3 },
      ]),
    );
  });

  it.each<[string, string, object | undefined, string[]]>([
    ['_doc_ids', '', { doc_ids: ['a', 'nope'] }, ['a']],
    ['_doc_ids', `&doc_ids=${encodeURIComponent('["b"]')}`, undefined, ['b']],
    ['_selector', '', { selector: { n: { $gte: 2 } } }, ['b', 'gone']],
    ['_design', '', undefined, ['_design/d']],
    ['d/big', '&least=2', undefined, ['b', 'gone']],
  ])('filters by %s%s', async (filter, more, body, expected) => {
    const path = `${db}/_changes?filter=${filter}${more}`;
    const answer = await callCouch(body ? 'POST' : 'GET', path, body ? { body } : {});
    expect(answer.status).toBe(200);
    expect(changedIds(answer)).toEqual(expected);
  });

  it('tells all leaves with style=all_docs', async () => {
    const own = await newDatabase();
    const docs = ['b', 'c'].map((c) => ({ _id: 'x', _rev: `1-${c.repeat(32)}` }));
    await callCouch('POST', `${own}/_bulk_docs`, { body: { docs, new_edits: false } });
    const { json: body } = await callCouch('GET', `${own}/_changes?style=all_docs`);
    const leaves = body.results[0].changes.map((change: { rev: string }) => change.rev).sort();
    expect(leaves).toEqual(docs.map((doc) => doc._rev));
  });

  it('waits for a change with longpoll', async () => {
    const own = await newDatabase();
    const waiting = callCouch('GET', `${own}/_changes?feed=longpoll&since=now&timeout=20000`);
    await new Promise((resolve) => setTimeout(resolve, 300));
    const rev = await put(own, 'late');
    const { json: body } = await waiting;
    expect(body.results).toMatchObject([{ id: 'late', changes: [{ rev }] }]);
  });

  it('gives up a longpoll when its time is up', async () => {
    const path = `${db}/_changes?feed=longpoll&since=now&timeout=200`;
    expect((await callCouch('GET', path)).json).toMatchObject({ results: [], pending: 0 });
  });

  it('streams continuously, with heartbeats, until the limit', async () => {
    const own = await newDatabase();
    await put(own, 'first');
    const feed = openFeed(`${own}/_changes?feed=continuous&heartbeat=100&limit=2`);
    await feed.until((text) => text.includes('"first"'));
    await feed.until((text) => text.endsWith('\n\n'));
    await put(own, 'second');
    const lines = (await feed.ended).split('\n').filter((line) => line !== '');
    const parsed = lines.map((line) => JSON.parse(line));
    expect(parsed).toMatchObject([
      { id: 'first' },
      { id: 'second' },
      { last_seq: expect.stringMatching(/^\d+-/) },
    ]);
  });

  it('survives listeners that leave', async () => {
    const own = await newDatabase();
    const feeds = Array.from({ length: 20 }, () =>
      openFeed(`${own}/_changes?feed=continuous&heartbeat=1000&since=now`),
    );
    await Promise.all(feeds.map((feed) => feed.opened));
    for (const feed of feeds) feed.leave();
    await put(own, 'after');
    expect(changedIds(await callCouch('GET', `${own}/_changes`))).toEqual(['after']);
    expect((await callCouch('DELETE', own)).status).toBe(200);
  });
});

interface OpenFeed {
  readonly opened: Promise<void>;
  readonly ended: Promise<string>;
  until(isEnough: (text: string) => boolean): Promise<void>;
  leave(): void;
}

function openFeed(path: string): OpenFeed {
  const { base, authorization } = storeLogin();
  const req = request(`${base}${path}`, { headers: { authorization } });
  let text = '';
  let check = (): void => undefined;
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  const ended = new Promise<string>((resolve) => {
    req.on('response', (res) => {
      open();
      res.on('data', (chunk: Buffer) => {
        text += chunk.toString('utf8');
        check();
      });
      res.on('error', () => resolve(text));
      res.on('close', () => resolve(text));
    });
    req.on('error', () => resolve(text));
  });
  req.end();
  return {
    opened,
    ended,
    until: (isEnough) =>
      new Promise((resolve) => {
        check = () => {
          if (isEnough(text)) resolve();
        };
        check();
      }),
    leave: () => req.destroy(),
  };
}

describe('mango', () => {
  let db = '';

  beforeAll(async () => {
    db = await newDatabase();
    const docs = [1, 2, 3, 4, 5, 6].map((n) => ({
      _id: `m${n}`,
      n,
      t: n % 2 ? 'odd' : 'even',
      list: [n, n + 1],
      in: { deep: n },
      ...(n > 4 ? { big: null } : {}),
    }));
    await callCouch('POST', `${db}/_bulk_docs`, { body: { docs } });
    await callCouch('POST', `${db}/_index`, {
      body: { index: { fields: ['t', 'n'] }, ddoc: 'tn', name: 'by-tn' },
    });
  });

  const find = (body: object): Promise<CouchAnswer> => callCouch('POST', `${db}/_find`, { body });
  const ids = (answer: CouchAnswer): string[] =>
    answer.json.docs.map((doc: { _id: string }) => doc._id);

  it.each<[object, string]>([
    [{ n: 3 }, '3'],
    [{ n: { $gt: 2, $lte: 4 } }, '34'],
    [{ n: { $ne: 3 } }, '12456'],
    [{ n: { $in: [1, 5, 9] } }, '15'],
    [{ n: { $nin: [1, 2, 3] } }, '456'],
    [{ big: { $exists: true } }, '56'],
    [{ big: { $exists: false } }, '1234'],
    [{ big: null }, '56'],
    [{ big: { $ne: 1 } }, '56'],
    [{ $not: { big: 1 } }, '56'],
    [{ $or: [{ n: 1 }, { n: 6 }] }, '16'],
    [{ $and: [{ t: 'odd' }, { n: { $gt: 1 } }] }, '35'],
    [{ $nor: [{ t: 'odd' }, { n: 2 }] }, '46'],
    [{ $not: { $and: [{ t: 'odd' }, { n: { $lt: 5 } }] } }, '2456'],
    [{ list: { $elemMatch: { $eq: 3 } } }, '23'],
    [{ list: { $allMatch: { $gt: 4 } } }, '56'],
    [{ list: { $all: [4, 5] } }, '4'],
    [{ list: { $size: 2 }, n: { $lt: 3 } }, '12'],
    [{ list: { $in: [1] } }, '1'],
    [{ 'in.deep': 2 }, '2'],
    [{ in: { deep: { $gte: 6 } } }, '6'],
    [{ n: { $mod: [3, 0] } }, '36'],
    [{ t: { $regex: '^e' } }, '246'],
    [{ t: { $beginsWith: 'od' } }, '135'],
    [{ n: { $type: 'number' }, t: 'odd' }, '135'],
    [{ _id: { $gt: 'm4' } }, '56'],
    [{ t: 'odd', n: { $gt: 1 } }, '35'],
    [{ nothing: { $gt: null } }, ''],
  ])('finds %j', async (selector, expected) => {
    const answer = await find({ selector });
    expect(answer.status).toBe(200);
    const found = ids(answer).map((id) => id.slice(1));
    expect(found.sort().join('')).toBe(expected);
  });

  it('sorts with an index, both ways', async () => {
    const selector = { t: 'odd', n: { $gt: null } };
    const up = await find({ selector, sort: ['t', 'n'] });
    const down = await find({ selector, sort: [{ t: 'desc' }, { n: 'desc' }] });
    expect(ids(up)).toEqual(['m1', 'm3', 'm5']);
    expect(ids(down)).toEqual(['m5', 'm3', 'm1']);
  });

  it('gives the named fields', async () => {
    const { json: body } = await find({ selector: { n: 2 }, fields: ['_id', 'in.deep', 'nope'] });
    expect(body.docs).toEqual([{ _id: 'm2', in: { deep: 2 } }]);
  });

  it('skips, limits and goes on at a bookmark', async () => {
    const query = { selector: { t: 'even', n: { $gt: 0 } }, limit: 2 };
    const first = await find(query);
    const second = await find({ ...query, bookmark: first.json.bookmark });
    const skipped = await find({ ...query, skip: 1 });
    expect([ids(first), ids(second), ids(skipped)]).toEqual([['m2', 'm4'], ['m6'], ['m4', 'm6']]);
  });

  it('makes an index once, lists it, uses it and deletes it', async () => {
    const own = await newDatabase();
    const body = { index: { fields: ['n'] }, ddoc: 'x', name: 'y' };
    const made = await callCouch('POST', `${own}/_index`, { body });
    const again = await callCouch('POST', `${own}/_index`, { body });
    const listed = await callCouch('GET', `${own}/_index`);
    const used = await callCouch('POST', `${own}/_explain`, { body: { selector: { n: 1 } } });
    expect(made.json).toEqual({ result: 'created', id: '_design/x', name: 'y' });
    expect(again.json).toEqual({ result: 'exists', id: '_design/x', name: 'y' });
    expect(listed.json).toMatchObject({
      total_rows: 2,
      indexes: [
        { name: '_all_docs', type: 'special' },
        { ddoc: '_design/x', name: 'y', type: 'json', def: { fields: [{ n: 'asc' }] } },
      ],
    });
    expect(used.json.index).toMatchObject({ ddoc: '_design/x', name: 'y' });
    expect((await callCouch('DELETE', `${own}/_index/x/json/y`)).json).toEqual({ ok: true });
    expect((await callCouch('GET', `${own}/_index`)).json.total_rows).toBe(1);
  });
});

describe('refusals', () => {
  const prefixOf = (path: string, db: string): string => path.replace('{db}', db);
  let db = '';

  beforeAll(async () => {
    db = await newDatabase();
    await put(db, 'a', { v: 1 });
    await put(db, '_design/d', {
      views: {
        plain: { map: 'function (doc) { emit(doc._id); }' },
        reduced: { map: 'function (doc) { emit(doc._id); }', reduce: '_count' },
      },
    });
  });

  it.each<[string, string, unknown, number, string, string | undefined]>([
    ['GET', '{db}x/doc', undefined, 404, 'not_found', 'Database does not exist.'],
    ['DELETE', '{db}x', undefined, 404, 'not_found', 'Database does not exist.'],
    ['GET', '{db}/nope', undefined, 404, 'not_found', 'missing'],
    ['DELETE', '{db}/nope?rev=1-a', undefined, 404, 'not_found', 'missing'],
    ['GET', '{db}/_nope', undefined, 404, 'not_found', 'missing'],
    ['GET', '{db}/a?rev=1-a', undefined, 404, 'not_found', 'missing'],
    ['GET', '{db}/a?rev=nonsense', undefined, 400, 'bad_request', 'Invalid rev format'],
    ['GET', '{db}/nope?open_revs=all', undefined, 404, 'not_found', 'missing'],
    ['PUT', '{db}/a', { v: 2 }, 409, 'conflict', 'Document update conflict.'],
    ['PUT', '{db}/b', { _rev: '1-a' }, 409, 'conflict', 'Document update conflict.'],
    ['DELETE', '{db}/a', undefined, 409, 'conflict', 'Document update conflict.'],
    ['PUT', '{db}/_x', {}, 400, 'illegal_docid', undefined],
    ['PUT', '{db}/b', [1], 400, 'bad_request', 'Document must be a JSON object'],
    ['PUT', '{db}/b', { _x: 1 }, 400, 'doc_validation', 'Bad special document member: _x'],
    ['PUT', '{db}/b', { _rev: 'x' }, 400, 'bad_request', 'Invalid rev format'],
    ['POST', '{db}', { _id: 4 }, 400, 'illegal_docid', 'Document id must be a string'],
    ['POST', '{db}/_bulk_docs', {}, 400, 'bad_request', undefined],
    ['POST', '{db}/_bulk_docs', { docs: [{ _id: '_x' }] }, 400, 'illegal_docid', undefined],
    ['GET', '{db}/_all_docs?limit=x', undefined, 400, 'query_parse_error', undefined],
    ['GET', '{db}/_all_docs?limit=-1', undefined, 400, 'query_parse_error', undefined],
    ['GET', '{db}/_all_docs?descending=x', undefined, 400, 'query_parse_error', undefined],
    ['GET', '{db}/_all_docs?startkey=x', undefined, 400, 'bad_request', 'invalid UTF-8 JSON'],
    ['POST', '{db}/_all_docs', { keys: 1 }, 400, 'bad_request', undefined],
    ['GET', '{db}/_design/d/_view/x', undefined, 404, 'not_found', 'missing_named_view'],
    ['GET', '{db}/_design/x/_view/x', undefined, 404, 'not_found', 'missing'],
    [
      'GET',
      '{db}/_design/d/_view/plain?reduce=true',
      undefined,
      400,
      'query_parse_error',
      'Reduce is invalid for map-only views.',
    ],
    [
      'GET',
      '{db}/_design/d/_view/plain?group=true',
      undefined,
      400,
      'query_parse_error',
      'Invalid use of grouping on a map view.',
    ],
    [
      'GET',
      '{db}/_design/d/_view/reduced?include_docs=true',
      undefined,
      400,
      'query_parse_error',
      '`include_docs` is invalid for reduce',
    ],
    [
      'GET',
      '{db}/_design/d/_view/reduced?keys=[1,2]',
      undefined,
      400,
      'query_parse_error',
      'Multi-key fetches for reduce views must use `group=true`',
    ],
    [
      'GET',
      '{db}/_design/d/_view/plain?startkey=2&endkey=1',
      undefined,
      400,
      'query_parse_error',
      undefined,
    ],
    ['GET', '{db}/_changes?feed=x', undefined, 400, 'bad_request', undefined],
    [
      'GET',
      '{db}/_changes?since=x',
      undefined,
      400,
      'bad_request',
      "Malformed sequence supplied in 'since' parameter.",
    ],
    [
      'GET',
      '{db}/_changes?filter=_selector',
      undefined,
      400,
      'bad_request',
      'Selector must be specified in POST payload',
    ],
    ['GET', '{db}/_changes?filter=x/y', undefined, 404, 'not_found', 'missing'],
    ['POST', '{db}/_find', {}, 400, 'missing_required_key', 'Missing required key: selector'],
    [
      'POST',
      '{db}/_find',
      { selector: { a: { $x: 1 } } },
      400,
      'invalid_operator',
      'Invalid operator: $x',
    ],
    ['POST', '{db}/_find', { selector: { a: 1 }, sort: ['a'] }, 400, 'no_usable_index', undefined],
    ['DELETE', '{db}/_index/x/json/y', undefined, 404, 'not_found', undefined],
    ['PUT', '{db}/_design/x', { views: 5 }, 400, 'invalid_design_doc', undefined],
    ['PUT', '{db}/_design/x', { views: { v: { map: 5 } } }, 400, 'invalid_design_doc', undefined],
    [
      'PUT',
      '{db}/_design/x',
      { views: { v: { map: 'function (' } } },
      400,
      'compilation_error',
      undefined,
    ],
    ['PUT', '{db}/_design/x', { views: { v: { map: '42' } } }, 400, 'compilation_error', undefined],
    [
      'PUT',
      '{db}/_design/x',
      { views: { v: { map: 'function(d){}', reduce: '_x' } } },
      400,
      'invalid_design_doc',
      undefined,
    ],
    ['GET', '/_uuids?count=100000', undefined, 400, 'bad_request', 'count parameter too large'],
  ])('%s %s %j is %d %s', async (method, path, body, status, error, reason) => {
    const call = body === undefined ? {} : { body };
    const answer = await callCouch(method, prefixOf(path, db), call);
    expect(answer.status).toBe(status);
    expect(answer.json).toMatchObject(reason === undefined ? { error } : { error, reason });
  });

  it.each([
    ['POST', '/_all_dbs', 'GET,HEAD'],
    ['PATCH', '{db}', 'DELETE,GET,HEAD,POST'],
    ['PATCH', '{db}/a', 'DELETE,GET,HEAD,POST,PUT,COPY'],
    ['PUT', '{db}/_design/d/_view/plain', 'GET,POST,HEAD'],
    ['DELETE', '{db}/_bulk_docs', 'POST'],
  ])('%s %s is not a method, and the answer says which are', async (method, path, allowed) => {
    const answer = await callCouch(method, prefixOf(path, db), {});
    expect(answer.status).toBe(405);
    expect(answer.headers['allow']).toBe(allowed);
    expect(answer.json).toEqual({
      error: 'method_not_allowed',
      reason: `Only ${allowed} allowed`,
    });
  });

  it('a body that is no JSON is 400', async () => {
    const answer = await callCouch('PUT', `${db}/b`, { raw: '{bad' });
    expect(answer.status).toBe(400);
    expect(answer.json).toEqual({ error: 'bad_request', reason: 'invalid UTF-8 JSON' });
  });

  it('a POST of another type is 415', async () => {
    const headers = { 'content-type': 'text/plain' };
    const answer = await callCouch('POST', db, { raw: '{}', headers });
    expect(answer.status).toBe(415);
    expect(answer.json).toEqual({
      error: 'bad_content_type',
      reason: 'Content-Type must be application/json',
    });
  });
});
