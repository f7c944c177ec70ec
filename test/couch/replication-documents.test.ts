import { createJobKit } from './replication-job-kit.js';
import {
  createAll,
  type OwnStore,
  path,
  replicate,
  startOwnStore,
  waitFor,
  writeAll,
} from './replication-rig.js';

// Replications that `_replicator` keeps: how they start, are seen, fail and end.

let store: OwnStore;

beforeAll(async () => {
  store = await startOwnStore();
});

afterAll(() => store.stop());

const { newPair, putJob, removeJob, stateOf, waitForState, countIn } = createJobKit(() => store);

const TIME = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
const SEQ = expect.stringMatching(/^\d+-[0-9a-f]{32}$/);

describe('a document of _replicator', () => {
  it('starts a replication that ends in its document', async () => {
    const { source, target } = await newPair();
    await putJob('once', { source, target, create_target: true });
    const shown = await waitForState('once', 'completed');
    const stats = {
      revisions_checked: 3,
      missing_revisions_found: 3,
      docs_read: 3,
      docs_written: 3,
      changes_pending: 0,
      doc_write_failures: 0,
      bulk_get_docs: 3,
      bulk_get_attempts: 3,
      checkpointed_source_seq: SEQ,
    };
    expect(shown).toEqual({
      database: '_replicator',
      doc_id: 'once',
      id: null,
      node: 'nonode@nohost',
      source: `${store.origin}${path(source)}/`,
      target: `${store.origin}${path(target)}/`,
      state: 'completed',
      error_count: 0,
      info: stats,
      start_time: TIME,
      last_updated: TIME,
    });
    expect((await store.call('GET', path('_replicator', 'once'))).json).toEqual({
      _id: 'once',
      _rev: expect.stringMatching(/^2-/),
      source,
      target,
      create_target: true,
      _replication_state: 'completed',
      _replication_state_time: TIME,
      _replication_stats: { ...stats, start_time: TIME },
    });
    expect(await countIn(target)).toBe(3);
  });

  it('starts again when it is written without its state', async () => {
    const { source, target } = await newPair();
    const body = { source, target, create_target: true };
    await putJob('again', body);
    await waitForState('again', 'completed');
    await writeAll(store, source, [{ _id: 'later' }]);
    const { json: done } = await store.call('GET', path('_replicator', 'again'));
    await putJob('again', { ...body, _rev: done._rev });
    await waitFor('the later document', async () => (await countIn(target)) === 4);
  });

  it('runs until it is deleted when it is continuous', async () => {
    const { source, target } = await newPair();
    await putJob('on', { source, target, create_target: true, continuous: true });
    await waitFor('the documents', async () => (await countIn(target)) === 3);
    const shown = await waitForState('on', 'running');
    expect(shown).toMatchObject({
      database: '_replicator',
      doc_id: 'on',
      id: expect.stringMatching(/^[0-9a-f]{32}\+continuous\+create_target$/),
      error_count: 0,
      info: { docs_written: 3 },
      source_proxy: null,
    });
    const { json: job } = await store.call('GET', `/_scheduler/jobs/${shown.id}`);
    expect(job).toMatchObject({
      database: '_replicator',
      doc_id: 'on',
      id: shown.id,
      history: [
        { type: 'started', timestamp: TIME },
        { type: 'added', timestamp: TIME },
      ],
    });
    const { json: tasks } = await store.call('GET', '/_active_tasks');
    expect(tasks).toMatchObject([{ doc_id: 'on', replication_id: shown.id }]);
    const refused = await replicate(store, { cancel: true, replication_id: shown.id });
    expect(refused.status).toBe(403);
    await removeJob('on');
    await waitFor('the job to end', async () => (await stateOf('on')).status === 404);
    expect((await store.call('GET', `/_scheduler/jobs/${shown.id}`)).status).toBe(404);
    expect((await store.call('GET', '/_active_tasks')).json).toEqual([]);
  });

  it('changes its job when it is changed', async () => {
    const [one, two] = [await newPair(), await newPair(5)];
    await putJob('edit', { ...one, create_target: true, continuous: true });
    const before = await waitForState('edit', 'running');
    const { json: doc } = await store.call('GET', path('_replicator', 'edit'));
    await putJob('edit', { ...doc, ...two });
    await waitFor('the other target', async () => (await countIn(two.target)) === 5);
    const after = await waitForState('edit', 'running');
    expect(after.id).not.toBe(before.id);
    expect((await store.call('GET', `/_scheduler/jobs/${before.id}`)).status).toBe(404);
    await removeJob('edit');
  });

  it('that makes no sense says why', async () => {
    await putJob('senseless', { source: 'a' });
    const reason = '`target` must be a database name, a URL or an object with a URL';
    const shown = await waitForState('senseless', 'failed');
    expect(shown).toMatchObject({ target: null, error_count: 1, info: { error: reason } });
    expect((await store.call('GET', path('_replicator', 'senseless'))).json).toMatchObject({
      _replication_state: 'failed',
      _replication_state_reason: reason,
      _replication_state_time: TIME,
    });
  });

  it('that asks for what another one does fails', async () => {
    const { source, target } = await newPair();
    const body = { source, target, create_target: true, continuous: true };
    await putJob('first', body);
    const { id } = await waitForState('first', 'running');
    await putJob('second', body);
    const shown = await waitForState('second', 'failed');
    expect(shown.info.error).toBe(
      `Replication \`${id}\` specified by document \`second\` already started, ` +
        'triggered by document `first` from db `_replicator`',
    );
    await removeJob('first');
  });

  it('keeps trying with longer and longer pauses, and gets through', async () => {
    const { source, target } = await newPair();
    await putJob('late', { source, target, continuous: true });
    const crashed = await waitForState('late', 'crashing');
    const error = `db_not_found: could not open ${store.origin}${path(target)}/`;
    expect(crashed).toMatchObject({ info: { error }, error_count: 1 });
    const { json: job } = await store.call('GET', `/_scheduler/jobs/${crashed.id}`);
    expect(job).toMatchObject({
      pid: null,
      info: { error },
      history: [{ type: 'crashed', reason: error }, { type: 'started' }, { type: 'added' }],
    });
    await waitFor('a second try', async () => (await stateOf('late')).json.error_count === 2);
    await createAll(store, target);
    await waitFor('the documents', async () => (await countIn(target)) === 3);
    await removeJob('late');
  });

  it('is found among the others by page and by state', async () => {
    // Jobs of the tests before end after their documents are gone.
    await waitFor('only ended jobs', async () => {
      const { json } = await store.call('GET', '/_scheduler/docs');
      return json.docs.every((doc: { state: string }) => /^(completed|failed)$/.test(doc.state));
    });
    const { json: all } = await store.call('GET', '/_scheduler/docs');
    expect(all.total_rows).toBe(all.docs.length);
    const { json: page } = await store.call('GET', '/_scheduler/docs/_replicator?skip=1&limit=2');
    expect(page).toEqual({ total_rows: all.total_rows, offset: 1, docs: all.docs.slice(1, 3) });
    const { json: failed } = await store.call('GET', '/_scheduler/docs?states=failed');
    expect(failed.docs.map((doc: { doc_id: string }) => doc.doc_id)).toEqual([
      'second',
      'senseless',
    ]);
    const nobody = await stateOf('nobody');
    expect([nobody.status, nobody.json]).toEqual([404, { error: 'not_found', reason: 'missing' }]);
    const wrong = await store.call('GET', '/_scheduler/docs/nobody');
    expect([wrong.status, wrong.json.reason]).toEqual([400, 'Invalid path']);
  });
});

describe('more jobs than run at once', () => {
  it('wait for their turn', async () => {
    const { source } = await newPair();
    const ids = Array.from({ length: 43 }, (_, n) => `turn${n}`);
    for (const id of ids) {
      const target = `turns/${id}`;
      await putJob(id, { source, target, create_target: true, continuous: true });
    }
    const listed = async (state: string): Promise<string[]> => {
      const { json } = await store.call('GET', `/_scheduler/docs?states=${state}`);
      return json.docs.map((doc: { doc_id: string }) => doc.doc_id);
    };
    await waitFor('some to wait', async () => (await listed('pending')).length === 3);
    expect(await listed('running')).toHaveLength(40);
    const waiting = await listed('pending');
    for (const id of (await listed('running')).slice(0, 3)) await removeJob(id);
    await waitFor('nobody to wait', async () => (await listed('pending')).length === 0);
    expect(await listed('running')).toEqual(expect.arrayContaining(waiting));
    for (const id of await listed('running')) await removeJob(id);
  });
});

describe('the database _replicator', () => {
  it('ends its replications when it is deleted and takes new ones when it is back', async () => {
    const { source, target } = await newPair();
    await putJob('doomed', { source, target, create_target: true, continuous: true });
    await waitForState('doomed', 'running');
    expect((await store.call('DELETE', '/_replicator')).status).toBe(200);
    await waitFor('no jobs', async () => {
      return (await store.call('GET', '/_scheduler/jobs')).json.total_rows === 0;
    });
    await createAll(store, '_replicator');
    const other = await newPair();
    await putJob('reborn', { ...other, create_target: true });
    await waitForState('reborn', 'completed');
    expect((await store.call('GET', '/_scheduler/docs')).json.total_rows).toBe(1);
  });
});
