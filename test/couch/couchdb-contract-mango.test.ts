import { type CouchAnswer, callCouch } from '../support/couch-call.js';
import { ownDatabases } from '../support/own-databases.js';

// What the service and its tools count on: true of CouchDB 3.5 and of the embedded store.

const { cleanUp, newDatabase } = ownDatabases();

afterAll(cleanUp);

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
