import type { ServerResponse } from 'node:http';
import {
  type FakeDoc,
  type FakeSource,
  type Interrupt,
  startFakeSource,
} from './replication-fake-source.js';
import {
  createAll,
  type OwnStore,
  replicate,
  startOwnStore,
  startServer,
  waitFor,
  writeAll,
} from './replication-rig.js';

// Sources whose answers are no failures at first sight, and more jobs than there is room for.

const DOCS: readonly FakeDoc[] = ['a', 'b'].map((_id) => ({ _id, _rev: `1-${_id}` }));

let store: OwnStore;
const sources: FakeSource[] = [];
let count = 0;

beforeAll(async () => {
  store = await startOwnStore();
});

afterEach(async () => {
  await Promise.all(sources.splice(0).map((source) => source.close()));
});

afterAll(() => store.stop());

async function newSource(interrupt?: Interrupt, docs = DOCS): Promise<FakeSource> {
  const source = await startFakeSource(docs, interrupt);
  sources.push(source);
  return source;
}

function pull(source: string, target: string, more: object = {}) {
  return replicate(store, { source, target, connection_timeout: 2000, ...more });
}

async function newTarget(): Promise<string> {
  count += 1;
  await createAll(store, `target${count}`);
  return `target${count}`;
}

function answerWith(res: ServerResponse, body: object): true {
  res.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  return true;
}

const FOUND_A = { id: 'a', docs: [{ ok: DOCS[0] }] };
const failedB = (error: string) => ({
  id: 'b',
  docs: [{ error: { id: 'b', rev: '1-b', error, reason: 'for a test' } }],
});

describe('a document that a source does not give', () => {
  it.each([
    ['says it is in trouble', [FOUND_A, failedB('timeout')], 'document_read_failed'],
    ['leaves it out', [FOUND_A], 'unexpected_answer'],
    ['has nothing to say of it', [FOUND_A, { id: 'b', docs: [] }], 'unexpected_answer'],
  ])('because it %s is copied by the next try', async (_, results, error) => {
    let isWell = false;
    const source = await newSource((req, res) => {
      if (isWell || req.url?.includes('_bulk_get') !== true) return false;
      return answerWith(res, { results });
    });
    const target = await newTarget();
    const failed = await pull(source.url, target);
    expect([failed.status, failed.json.error]).toEqual([500, error]);
    isWell = true;
    expect((await pull(source.url, target)).status).toBe(200);
    const { json } = await store.call('GET', `/${target}/_all_docs`);
    expect(json.rows.map(({ id }: { id: string }) => id)).toEqual(['a', 'b']);
  });

  it.each([
    ['forbidden', 1],
    ['unauthorized', 1],
    ['not_found', 0],
  ])('because it is %s does not stop the rest', async (error, failures) => {
    const source = await newSource((req, res) => {
      if (req.url?.includes('_bulk_get') !== true) return false;
      return answerWith(res, { results: [FOUND_A, failedB(error)] });
    });
    const { json } = await pull(source.url, await newTarget());
    expect(json.history[0]).toMatchObject({ docs_written: 1, doc_write_failures: failures });
  });
});

describe('a source', () => {
  it.each(['none', '1-', '1', 'x-a'])(
    'with a revision that is none is copied without it: %s',
    async (_rev) => {
      const source = await newSource(undefined, [...DOCS, { _id: 'odd', _rev }]);
      const { json } = await pull(source.url, await newTarget());
      expect(json.history[0]).toMatchObject({ docs_written: 2, doc_write_failures: 1 });
    },
  );

  it.each([
    ['whose changes come again and again', {}],
    ['the same of one that is followed', { continuous: true }],
  ])('%s is given up', async (_, more) => {
    let pages = 0;
    const source = await newSource((req, res) => {
      if (req.url?.includes('_changes') !== true) return false;
      pages += 1;
      const results = DOCS.map(({ _id, _rev }) => ({
        seq: '2-fake',
        id: _id,
        changes: [{ rev: _rev }],
      }));
      return answerWith(res, { results, last_seq: '2-fake', pending: 5 });
    });
    const body = { source: source.url, target: await newTarget(), worker_batch_size: 2, ...more };
    const id = `stuck${count}`;
    const made = await store.call('PUT', `/_replicator/${id}`, { body });
    expect(made.status).toBe(201);
    const stuck = await waitFor('the failure', async () => {
      const { json } = await store.call('GET', `/_scheduler/docs/_replicator/${id}`);
      return json.state === 'crashing' ? json : undefined;
    });
    expect(stuck.info.error).toBe(
      `changes_stuck: the changes of ${source.url}/ do not go on after 2-fake`,
    );
    expect(pages).toBe(2);
    await store.call('DELETE', `/_replicator/${id}?rev=${made.json.rev}`);
  });
});

describe('more documents of _replicator than there may be jobs', () => {
  it('wait, while a request is refused', async () => {
    const silent = await startServer(() => undefined);
    const docs = Array.from({ length: 2005 }, (_, n) => ({
      _id: `many${n}`,
      source: `${silent.url}/db`,
      target: `many${n}`,
      continuous: true,
    }));
    await writeAll(store, '_replicator', docs);
    await waitFor('all to be seen', async () => {
      const { json } = await store.call('GET', '/_scheduler/docs?limit=0');
      return json.total_rows >= docs.length;
    });
    const countOf = async (state: string): Promise<number> =>
      (await store.call('GET', `/_scheduler/docs?limit=0&states=${state}`)).json.total_rows;
    const counts = [await countOf('failed'), await countOf('running'), await countOf('pending')];
    expect(counts).toEqual([0, 40, 1965]);
    const refused = await replicate(store, { source: 'a', target: 'b' });
    expect([refused.status, refused.json.error]).toEqual([503, 'too_many_jobs']);
    await silent.close();
  });
});
