import { uniquePrefix } from '../support/store.js';
import { AWKWARD_IDS, fillDatabase } from './replication-content.js';
import {
  createAll,
  destroyAll,
  type OwnStore,
  path,
  realCouch,
  replicate,
  type Side,
  snapshot,
  startOwnStore,
  waitFor,
  withCouch,
  writeAll,
} from './replication-rig.js';

// A real CouchDB and the embedded store as peers, in all four ways: either pulls, either pushes.

const MEGABYTE = 1024 * 1024;
const SLOW_MS = 120_000;

withCouch.describe('a CouchDB and the embedded store', () => {
  const prefix = uniquePrefix();
  const names: string[] = [];
  let store: OwnStore;
  let couch: Side;

  beforeAll(async () => {
    store = await startOwnStore();
    couch = realCouch();
  });

  afterAll(async () => {
    await destroyAll(couch, names);
    await store.stop();
  }, SLOW_MS);

  function newName(): string {
    const name = `${prefix}account/${names.length}`;
    names.push(name);
    return name;
  }

  interface Way {
    readonly source: () => Side;
    readonly target: () => Side;
    /** Whose replicator works. */
    readonly worker: () => Side;
  }

  const [ofStore, ofCouch] = [() => store, () => couch];
  const WAYS: readonly (readonly [string, Way])[] = [
    ['CouchDB pulls', { source: ofStore, target: ofCouch, worker: ofCouch }],
    ['CouchDB pushes', { source: ofCouch, target: ofStore, worker: ofCouch }],
    ['the embedded store pulls', { source: ofCouch, target: ofStore, worker: ofStore }],
    ['the embedded store pushes', { source: ofStore, target: ofCouch, worker: ofStore }],
  ];

  /** The request for one way; both ends are named with their logins. */
  function bodyOf(way: Way, from: string, to: string, more: object = {}): object {
    const [source, target] = [way.source().endpoint(from), way.target().endpoint(to)];
    return { source, target, create_target: true, ...more };
  }

  async function countIn(side: Side, db: string): Promise<number> {
    return (await side.call('GET', path(db))).json.doc_count;
  }

  describe.each(WAYS)('%s', (_name, way) => {
    it(
      'and everything arrives, once',
      async () => {
        const [from, to] = [newName(), newName()];
        await createAll(way.source(), from);
        await fillDatabase(way.source(), from);
        const first = await replicate(way.worker(), bodyOf(way, from, to));
        expect(first.json).toMatchObject({ ok: true, history: [{ doc_write_failures: 0 }] });
        const before = await snapshot(way.source(), from);
        expect(await snapshot(way.target(), to)).toEqual(before);
        expect(Object.keys(before)).toHaveLength(AWKWARD_IDS.length + 8);
        const again = await replicate(way.worker(), bodyOf(way, from, to));
        expect(again.json).toEqual({ ...first.json, no_changes: true });
        const view = await way
          .target()
          .call('GET', `${path(to)}/_design/pool/_view/by_n?group=true`);
        expect(view.json.rows.map((row: { key: unknown }) => row.key)).toContain(20);
      },
      SLOW_MS,
    );

    it(
      'and only what is picked arrives',
      async () => {
        const from = newName();
        await createAll(way.source(), from);
        await writeAll(
          way.source(),
          from,
          ['a/1', 'b', 'ü'].map((_id, n) => ({ _id, n })),
        );
        for (const [picks, expected] of [
          [{ doc_ids: ['ü', 'a/1'] }, ['a/1', 'ü']],
          [{ selector: { n: { $gt: 0 } } }, ['b', 'ü']],
        ] as const) {
          const to = newName();
          const { json } = await replicate(way.worker(), bodyOf(way, from, to, picks));
          expect(json.history[0]).toMatchObject({ docs_written: 2, doc_write_failures: 0 });
          const list = await way.target().call('GET', `${path(to)}/_all_docs`);
          expect(list.json.rows.map((row: { id: string }) => row.id)).toEqual(expected);
        }
      },
      SLOW_MS,
    );

    it(
      'and it follows until it is cancelled',
      async () => {
        const [from, to] = [newName(), newName()];
        await createAll(way.source(), from);
        await writeAll(way.source(), from, [{ _id: 'before' }]);
        const body = bodyOf(way, from, to, { continuous: true });
        const started = await replicate(way.worker(), body);
        expect(started.status).toBe(202);
        const patienceMs = SLOW_MS / 2;
        const count = () => countIn(way.target(), to);
        await waitFor('the first document', async () => (await count()) === 1, patienceMs);
        await writeAll(way.source(), from, [{ _id: 'later' }]);
        await waitFor('the later document', async () => (await count()) === 2, patienceMs);
        const cancelled = await replicate(way.worker(), { ...body, cancel: true });
        expect([cancelled.status, cancelled.json]).toEqual([200, started.json]);
      },
      SLOW_MS,
    );
  });

  describe('with much to do', () => {
    const LARGE = 10_500;

    it.each([
      ['CouchDB pulls', WAYS[0]?.[1]],
      ['the embedded store pulls', WAYS[2]?.[1]],
    ] as const)(
      '%s more than 10,000 documents',
      async (_name, way) => {
        if (way === undefined) throw new Error('there is no such way');
        const [from, to] = [newName(), newName()];
        await createAll(way.source(), from);
        for (let n = 0; n < LARGE; n += 1500) {
          const docs = Array.from({ length: 1500 }, (_, m) => ({ _id: `d${n + m}`, n: n + m }));
          await writeAll(way.source(), from, docs);
        }
        const { json } = await replicate(way.worker(), bodyOf(way, from, to));
        expect(json.history[0]).toMatchObject({ docs_written: LARGE, doc_write_failures: 0 });
        expect(await countIn(way.target(), to)).toBe(LARGE);
      },
      240_000,
    );

    it.each(WAYS)(
      '%s documents and attachments of a megabyte',
      async (_name, way) => {
        const [from, to] = [newName(), newName()];
        await createAll(way.source(), from);
        const data = Buffer.alloc(MEGABYTE, 7).toString('base64');
        const file = { 'large.bin': { content_type: 'application/octet-stream', data } };
        for (let n = 0; n < 5; n += 1) {
          const pad = String(n).repeat(MEGABYTE);
          await writeAll(way.source(), from, [{ _id: `large${n}`, pad }]);
          await writeAll(way.source(), from, [{ _id: `file${n}`, _attachments: file }]);
        }
        const { json } = await replicate(way.worker(), bodyOf(way, from, to));
        expect(json.history[0]).toMatchObject({ docs_written: 10, doc_write_failures: 0 });
        expect(await snapshot(way.target(), to)).toEqual(await snapshot(way.source(), from));
      },
      SLOW_MS,
    );

    it(
      'goes on where it was when the embedded store is killed and comes back',
      async () => {
        const [from, to] = [newName(), newName()];
        await createAll(couch, from);
        const docs = Array.from({ length: 4000 }, (_, n) => ({ _id: `d${n}`, n }));
        await writeAll(couch, from, docs);
        const job = bodyOf({ source: ofCouch, target: ofStore, worker: ofStore }, from, to);
        const body = { ...job, target: to, worker_batch_size: 100, checkpoint_interval: 100 };
        await store.call('PUT', '/_replicator/resumed', { body });
        await waitFor('some documents', async () => (await countIn(store, to)) > 500);
        await store.kill();
        await store.restart();
        const done = await waitFor('the rest', async () => {
          const { json } = await store.call('GET', '/_scheduler/docs/_replicator/resumed');
          return json.state === 'completed' ? json : undefined;
        });
        expect(await countIn(store, to)).toBe(4000);
        expect(done.info.revisions_checked).toBeLessThan(4000);
      },
      SLOW_MS,
    );
  });

  it.each([
    ['pulls', WAYS[0]?.[1]],
    ['pushes', WAYS[1]?.[1]],
  ] as const)(
    'lose nothing when the embedded store is killed while CouchDB %s',
    async (_name, way) => {
      if (way === undefined) throw new Error('there is no such way');
      const [from, to] = [newName(), newName()];
      await createAll(way.source(), from);
      const pad = 'x'.repeat(500);
      const docs = Array.from({ length: 3000 }, (_, n) => ({ _id: `d${n}`, pad }));
      await writeAll(way.source(), from, docs);
      await createAll(way.target(), to);
      const body = bodyOf(way, from, to, { create_target: false });
      const running = replicate(way.worker(), body);
      await waitFor('some documents', async () => (await countIn(way.target(), to)) > 0);
      await store.kill();
      await store.restart();
      // CouchDB may have given up meanwhile; what counts is that the next run ends it.
      await running;
      expect((await replicate(way.worker(), body)).json.ok).toBe(true);
      expect(await countIn(way.target(), to)).toBe(3000);
    },
    2 * SLOW_MS,
  );

  it('have the same winner and the same leaves after both were changed', async () => {
    const [left, right] = [newName(), newName()];
    await createAll(store, left);
    await createAll(couch, right);
    for (const [side, db, n] of [
      [store, left, 1],
      [couch, right, 2],
    ] as const) {
      const map = `function (doc) { emit(${n}, doc._id); }`;
      await writeAll(side, db, [
        { _id: 'both', n },
        { _id: '_design/both', views: { v: { map } } },
        { _id: `only${n}` },
      ]);
    }
    await replicate(store, { source: left, target: couch.endpoint(right) });
    await replicate(store, { source: couch.endpoint(right), target: left });
    const [here, there] = [await snapshot(store, left), await snapshot(couch, right)];
    expect(here).toEqual(there);
    expect(Object.keys(here)).toEqual(['_design/both', 'both', 'only1', 'only2']);
    const view = '/_design/both/_view/v';
    const rows = await Promise.all([
      store.call('GET', `${path(left)}${view}`),
      couch.call('GET', `${path(right)}${view}`),
    ]);
    expect(rows[0]?.json.rows).toEqual(rows[1]?.json.rows);
    expect(rows[0]?.json.rows).toHaveLength(3);
  });
});
