import {
  createAll,
  type OwnStore,
  path,
  replicate,
  snapshot,
  startOwnStore,
  waitFor,
  writeAll,
} from './replication-rig.js';

// `POST /_replicate` of the embedded store with `continuous`.

let here: OwnStore;
let there: OwnStore;

beforeAll(async () => {
  [here, there] = await Promise.all([startOwnStore(), startOwnStore()]);
});

afterAll(async () => {
  await Promise.all([here.stop(), there.stop()]);
});

let count = 0;

/** A name with slashes that no other test uses. */
function newName(): string {
  count += 1;
  return `account/ab/${count}`;
}

/** A database with three documents. */
async function newSource(): Promise<string> {
  const db = newName();
  await createAll(here, db);
  await writeAll(
    here,
    db,
    ['a', 'b', 'c'].map((_id, n) => ({ _id, n })),
  );
  return db;
}

describe('a continuous replication', () => {
  it('follows the source until it is cancelled', async () => {
    const [from, to] = [await newSource(), newName()];
    const body = { source: from, target: there.urlOf(to), create_target: true, continuous: true };
    const started = await replicate(here, body);
    expect([started.status, started.json]).toEqual([
      202,
      {
        ok: true,
        _local_id: expect.stringMatching(/^[0-9a-f]{32}\+continuous\+create_target$/),
      },
    ]);
    expect((await replicate(here, body)).json).toEqual(started.json);
    await waitFor('the first documents', async () => {
      const { json } = await there.call('GET', `${path(to)}/_all_docs`);
      return json.total_rows === 3;
    });
    await writeAll(here, from, [{ _id: 'later' }]);
    await waitFor('a later one', async () => {
      return (await there.call('GET', path(to, 'later'))).status === 200;
    });
    const { json: tasks } = await here.call('GET', '/_active_tasks');
    expect(tasks).toMatchObject([
      {
        type: 'replication',
        replication_id: started.json._local_id,
        continuous: true,
        source: `${here.origin}${path(from)}/`,
        target: `${there.origin}${path(to)}/`,
        user: 'admin',
        doc_id: null,
        docs_written: 4,
      },
    ]);
    const cancelled = await replicate(here, { ...body, cancel: true });
    expect([cancelled.status, cancelled.json]).toEqual([200, started.json]);
    expect((await here.call('GET', '/_active_tasks')).json).toEqual([]);
    const again = await replicate(here, { cancel: true, replication_id: started.json._local_id });
    expect([again.status, again.json]).toEqual([404, { error: 'not_found', reason: 'missing' }]);
    await writeAll(here, from, [{ _id: 'too-late' }]);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect((await there.call('GET', path(to, 'too-late'))).status).toBe(404);
  });

  it('keeps two stores the same in both directions', async () => {
    const [left, right] = [newName(), newName()];
    await createAll(here, left);
    await createAll(there, right);
    const push = { source: left, target: there.urlOf(right), continuous: true };
    const pull = { source: there.urlOf(right), target: left, continuous: true };
    await replicate(here, push);
    await replicate(here, pull);
    await Promise.all([
      here.call('PUT', path(left, 'both'), { body: { from: 'left' } }),
      there.call('PUT', path(right, 'both'), { body: { from: 'right' } }),
      writeAll(here, left, [{ _id: 'l' }]),
      writeAll(there, right, [{ _id: 'r' }]),
    ]);
    await waitFor('both to be the same', async () => {
      const [a, b] = [await snapshot(here, left), await snapshot(there, right)];
      return Object.keys(a).length === 3 && JSON.stringify(a) === JSON.stringify(b);
    });
    const { json } = await here.call('GET', `${path(left, 'both')}?conflicts=true`);
    expect(json._conflicts).toHaveLength(1);
    for (const body of [push, pull]) await replicate(here, { ...body, cancel: true });
  });
});
