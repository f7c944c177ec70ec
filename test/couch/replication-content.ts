import { path, type Side, writeAll } from './replication-rig.js';

/** Ids that are mistaken on the way by anything that encodes once too often or not enough. */
export const AWKWARD_IDS = [
  'with/slash',
  'ünïcode ✓ 😀',
  'a?b#c&d=e',
  '%2F%20',
  'plus+and space',
  'quote"\'`',
  'trailing/',
  '192.0.2.1',
  '2001:db8::1',
];

const VIEWS = { by_n: { map: 'function (doc) { emit(doc.n, null); }', reduce: '_count' } };
const SVG = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>').toString('base64');
const BINARY = Buffer.from(Array.from({ length: 2000 }, (_, n) => (n * 7) % 256));

/**
 * Fills a database with everything that replication must carry: awkward ids, deletions, histories,
 * conflicts of documents and of design documents, attachments with awkward names.
 */
export async function fillDatabase(side: Side, db: string): Promise<void> {
  await writeAll(
    side,
    db,
    AWKWARD_IDS.map((_id, n) => ({
      _id,
      n,
      nested: { list: [1, null, { a: 1.5e-9 }], text: 'é' },
    })),
  );
  await writeAll(side, db, [
    { _id: '_design/pool', language: 'javascript', views: VIEWS },
    {
      _id: 'files',
      n: 20,
      _attachments: {
        'a b/ü.svg': { content_type: 'image/svg+xml', data: SVG },
        'binary.dat': {
          content_type: 'application/octet-stream',
          data: BINARY.toString('base64'),
        },
      },
    },
  ]);
  await editAndDelete(side, db);
  const docs = [...conflict('conflict'), ...conflict('_design/conflict'), ...fileConflict()];
  const body = { new_edits: false, docs };
  const answer = await side.call('POST', `${path(db)}/_bulk_docs`, { body });
  expect([answer.status, answer.json]).toEqual([201, []]);
}

async function editAndDelete(side: Side, db: string): Promise<void> {
  let rev: string | undefined;
  for (let n = 0; n < 12; n += 1) {
    const body = { n, ...(rev === undefined ? {} : { _rev: rev }) };
    rev = (await side.call('PUT', path(db, 'edited'), { body })).json.rev;
  }
  for (const [id, kept] of [
    ['gone', {}],
    ['gone-with-fields', { pvt_type: 'subscription' }],
  ] as const) {
    const created = await side.call('PUT', path(db, id), { body: { n: 1 } });
    const tombstone = { ...kept, _rev: created.json.rev, _deleted: true };
    expect((await side.call('PUT', path(db, id), { body: tombstone })).status).toBe(200);
  }
}

/** Four leaves of one document; the deleted one never wins. */
function conflict(_id: string): object[] {
  const branch = (letter: string, n: number) => ({
    _id,
    _rev: `2-${letter.repeat(32)}`,
    _revisions: { start: 2, ids: [letter.repeat(32), '0'.repeat(32)] },
    n,
  });
  const deleted = { ...branch('f', 0), _deleted: true };
  return [branch('a', 1), branch('c', 3), branch('b', 2), deleted];
}

function fileConflict(): object[] {
  return ['a', 'b'].map((letter) => ({
    _id: 'file-conflict',
    _rev: `1-${letter.repeat(32)}`,
    _attachments: {
      'same.txt': { content_type: 'text/plain', data: Buffer.from(letter).toString('base64') },
    },
  }));
}
