import { request } from 'node:http';
import { type CouchAnswer, callCouch } from '../support/couch-call.js';
import { ownDatabases } from '../support/own-databases.js';
import { storeLogin } from '../support/store.js';

// What the service and its tools count on: true of CouchDB 3.5 and of the embedded store.

const { cleanUp, newDatabase, put } = ownDatabases();

afterAll(cleanUp);

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
