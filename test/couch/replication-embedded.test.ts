import { fillDatabase } from './replication-content.js';
import {
  createAll,
  type OwnStore,
  path,
  replicate,
  snapshot,
  startOwnStore,
  writeAll,
} from './replication-rig.js';

// `POST /_replicate` of the embedded store, between two of them and within one.

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

async function idsOf(side: OwnStore, db: string): Promise<readonly string[]> {
  const { json } = await side.call('GET', `${path(db)}/_all_docs`);
  return json.rows.map((row: { id: string }) => row.id);
}

const SEQ = expect.stringMatching(/^\d+-[0-9a-f]{32}$/);
const ID = expect.stringMatching(/^[0-9a-f]{32}$/);
const DATE = expect.stringMatching(/^\w{3}, \d{2} \w{3} \d{4} \d{2}:\d{2}:\d{2} GMT$/);

describe('a replication of the embedded store', () => {
  it.each(['push', 'pull'])('carries everything by a %s', async (way) => {
    const [from, to] = [newName(), newName()];
    await createAll(here, from);
    await fillDatabase(here, from);
    const answer =
      way === 'push'
        ? await replicate(here, { source: from, target: there.urlOf(to), create_target: true })
        : await replicate(there, { source: here.urlOf(from), target: to, create_target: true });
    const before = await snapshot(here, from);
    const leaves = Object.values(before).flatMap((doc) => (doc as { leaves: [] }).leaves).length;
    expect([answer.status, answer.json.ok]).toEqual([200, true]);
    expect(answer.json.history[0]).toMatchObject({
      missing_checked: leaves,
      missing_found: leaves,
      docs_read: leaves,
      docs_written: leaves,
      doc_write_failures: 0,
    });
    expect(await snapshot(there, to)).toEqual(before);
  });

  it('answers as CouchDB does and leaves its checkpoint on both sides', async () => {
    const [from, to] = [await newSource(), newName()];
    const { json, status } = await replicate(here, {
      source: from,
      target: there.endpoint(to),
      create_target: true,
    });
    expect(status).toBe(200);
    expect(json).toEqual({
      ok: true,
      session_id: ID,
      source_last_seq: SEQ,
      replication_id_version: 4,
      history: [
        {
          session_id: json.session_id,
          start_time: DATE,
          end_time: DATE,
          start_last_seq: 0,
          end_last_seq: json.source_last_seq,
          recorded_seq: json.source_last_seq,
          missing_checked: 3,
          missing_found: 3,
          docs_read: 3,
          docs_written: 3,
          doc_write_failures: 0,
          bulk_get_docs: 3,
          bulk_get_attempts: 3,
        },
      ],
    });
    // The list of `_local` documents is not to be had; a continuous job tells the name of both.
    const same = { source: from, target: there.endpoint(to), continuous: true };
    const { _local_id: id } = (await replicate(here, same)).json;
    await replicate(here, { ...same, cancel: true });
    const { ok: _ok, ...saved } = json;
    const at = `_local/${id.replace('+continuous', '')}`;
    for (const { json: doc } of await Promise.all([
      here.call('GET', `${path(from)}/${at}`),
      there.call('GET', `${path(to)}/${at}`),
    ])) {
      expect(doc).toEqual({ _id: at, _rev: '0-1', ...saved });
    }
  });

  it('does no work a second time, and then only what is new', async () => {
    const from = await newSource();
    const body = { source: from, target: there.urlOf(newName()), create_target: true };
    const first = await replicate(here, body);
    const second = await replicate(here, body);
    expect(second.json).toEqual({ ...first.json, no_changes: true });
    await writeAll(here, from, [{ _id: 'new' }]);
    const third = await replicate(here, body);
    expect(third.json.history).toHaveLength(2);
    expect(third.json.history[0]).toMatchObject({
      start_last_seq: first.json.source_last_seq,
      missing_checked: 1,
      docs_read: 1,
      docs_written: 1,
    });
    expect(third.json.history[1]).toEqual(first.json.history[0]);
  });

  it('of an empty database does nothing', async () => {
    const from = newName();
    await createAll(here, from);
    const body = { source: from, target: there.urlOf(newName()), create_target: true };
    expect((await replicate(here, body)).json).toEqual({ ok: true, no_changes: true });
  });

  it('starts over when the target was made anew', async () => {
    const [from, to] = [await newSource(), newName()];
    const body = { source: from, target: there.urlOf(to), create_target: true };
    await replicate(here, body);
    await there.call('DELETE', path(to));
    const again = await replicate(here, body);
    expect(again.json.history).toMatchObject([{ start_last_seq: 0, docs_written: 3 }]);
    expect(await idsOf(there, to)).toEqual(['a', 'b', 'c']);
  });

  it.each([
    ['doc_ids', { doc_ids: ['c', 'a', 'nobody'] }, ['a', 'c']],
    ['selector', { selector: { n: { $gte: 1 } } }, ['b', 'c']],
    ['filter', { filter: 'f/least', query_params: { least: 2 } }, ['c']],
  ])('copies what `%s` picks', async (_name, picks, expected) => {
    const from = await newSource();
    const filters = { least: 'function (doc, req) { return doc.n >= Number(req.query.least); }' };
    await writeAll(here, from, [{ _id: '_design/f', filters }]);
    const to = newName();
    const body = { source: from, target: there.urlOf(to), create_target: true, ...picks };
    const { json } = await replicate(here, body);
    expect(json.history[0]).toMatchObject({
      docs_read: expected.length,
      docs_written: expected.length,
    });
    expect(await idsOf(there, to)).toEqual(expected);
    expect((await replicate(here, body)).json.no_changes).toBe(true);
  });

  it('starts at `since_seq`', async () => {
    const from = await newSource();
    const { json: info } = await here.call('GET', path(from));
    await writeAll(here, from, [{ _id: 'later' }]);
    const to = newName();
    await replicate(here, {
      source: from,
      target: there.urlOf(to),
      create_target: true,
      since_seq: info.update_seq,
    });
    expect(await idsOf(there, to)).toEqual(['later']);
  });

  it('copies losing revisions only when it is not told to leave them', async () => {
    const from = newName();
    await createAll(here, from);
    await fillDatabase(here, from);
    const to = newName();
    const target = there.urlOf(to);
    await replicate(here, { source: from, target, create_target: true, winning_revs_only: true });
    const { json: doc } = await there.call('GET', `${path(to, 'conflict')}?conflicts=true`);
    expect(doc).toEqual({ _id: 'conflict', _rev: `2-${'c'.repeat(32)}`, n: 3 });
  });

  it('pages through more documents than one request takes', async () => {
    const from = newName();
    await createAll(here, from);
    const docs = Array.from({ length: 1234 }, (_, n) => ({ _id: `d${n}`, n }));
    await writeAll(here, from, docs);
    const to = newName();
    const body = { source: from, target: to, create_target: true, worker_batch_size: 100 };
    const { json } = await replicate(here, body);
    expect(json.history[0]).toMatchObject({ docs_read: 1234, docs_written: 1234 });
    expect((await idsOf(here, to)).length).toBe(1234);
  });

  it('splits what is too large for one answer', async () => {
    const from = newName();
    await createAll(here, from);
    for (let n = 0; n < 24; n += 1) {
      await writeAll(here, from, [{ _id: `large${n}`, pad: String(n % 10).repeat(1024 * 1024) }]);
    }
    const to = newName();
    const { json } = await replicate(there, {
      source: here.urlOf(from),
      target: to,
      create_target: true,
    });
    expect(json.history[0]).toMatchObject({
      docs_read: 24,
      docs_written: 24,
      doc_write_failures: 0,
    });
    const { json: doc } = await there.call('GET', path(to, 'large7'));
    expect(doc.pad).toBe('7'.repeat(1024 * 1024));
  });
});

describe('a replication into a database with rules', () => {
  it('counts what the rules refuse and copies the rest', async () => {
    const [from, to] = [await newSource(), newName()];
    await createAll(there, to);
    const rule = "function (doc) { if (doc.n === 1) throw ({ forbidden: 'no ones' }); }";
    await writeAll(there, to, [{ _id: '_design/rules', validate_doc_update: rule }]);
    const { json } = await replicate(here, { source: from, target: there.urlOf(to) });
    expect(json.history[0]).toMatchObject({
      docs_read: 3,
      docs_written: 2,
      doc_write_failures: 1,
    });
    expect(await idsOf(there, to)).toEqual(['_design/rules', 'a', 'c']);
  });
});
