import { startCuttableProxy } from '../support/cuttable-proxy.js';
import { createJobKit } from './replication-job-kit.js';
import { createAll, type OwnStore, startOwnStore, waitFor, writeAll } from './replication-rig.js';

// Replications whose own process, or whose remote, goes away and comes back.

let store: OwnStore;

beforeAll(async () => {
  store = await startOwnStore();
});

afterAll(() => store.stop());

const { newPair, putJob, removeJob, waitForState, countIn } = createJobKit(() => store);

describe('a replication of `_replicator`', () => {
  it('keeps its cookie after a kill, when a remote replicator has one', async () => {
    const login = { name: 'admin', password: store.password };
    const { headers } = await store.call('POST', '/_session', { body: login, anonymous: true });
    const cookie = String(headers['set-cookie']).split(';')[0] ?? '';
    await store.kill();
    await store.restart();
    const options = { anonymous: true, headers: { cookie } };
    expect((await store.call('GET', '/_all_dbs', options)).status).toBe(200);
  });

  it('a continuous one goes on after a kill, from its checkpoint', async () => {
    const { source, target } = await newPair();
    const options = { create_target: true, continuous: true, checkpoint_interval: 200 };
    await putJob('lasting', { source, target, ...options });
    const { id } = await waitForState('lasting', 'running');
    await waitFor('a checkpoint', async () => {
      const { json } = await store.call('GET', `/_scheduler/jobs/${id}`);
      return json.info.checkpointed_source_seq.startsWith('3-');
    });
    await store.kill();
    await store.restart();
    await writeAll(store, source, [{ _id: 'after' }]);
    await waitFor('the document after', async () => (await countIn(target)) === 4);
    expect(await waitForState('lasting', 'running')).toMatchObject({
      id,
      info: { revisions_checked: 1, docs_written: 1 },
    });
    await removeJob('lasting');
  });

  it('a store killed in the middle of a one-shot one ends it after the restart', async () => {
    const { source, target } = await newPair(4000);
    await putJob('cut', { source, target, create_target: true, worker_batch_size: 100 });
    await waitFor('some documents', async () => (await countIn(target)) > 0);
    await store.kill();
    await store.restart();
    await waitForState('cut', 'completed');
    expect(await countIn(target)).toBe(4000);
  });

  it('a continuous one survives that its remote goes away', async () => {
    const remote = await startOwnStore();
    const proxy = await startCuttableProxy(remote.origin);
    await createAll(remote, 'remote');
    const { host } = new URL(proxy.url);
    const source = new URL(remote.urlOf('remote'));
    source.host = host;
    await putJob('remote', {
      source: source.href,
      target: 'remote',
      create_target: true,
      continuous: true,
      retries_per_request: 0,
      connection_timeout: 1_000,
    });
    await writeAll(remote, 'remote', [{ _id: 'before' }]);
    await waitFor('the first document', async () => (await countIn('remote')) === 1);
    proxy.cut();
    expect((await waitForState('remote', 'crashing')).info.error).toContain('http_request_failed');
    await writeAll(remote, 'remote', [{ _id: 'meanwhile' }]);
    proxy.mend();
    await waitFor('what came meanwhile', async () => (await countIn('remote')) === 2);
    proxy.silence();
    await waitForState('remote', 'crashing');
    proxy.mend();
    await waitForState('remote', 'running');
    const { text } = await store.call('GET', '/_scheduler/docs');
    expect(text).not.toContain(encodeURIComponent(remote.password));
    await removeJob('remote');
    await proxy.close();
    await remote.stop();
  });
});
