import { callCouch } from '../support/couch-call.js';
import { destroyDatabases, uniquePrefix } from '../support/store.js';

// What Fauxton asks of a CouchDB beside documents, views and mango; the same on either store.

const prefix = uniquePrefix();
const name = `${prefix}with/slash`;
const db = `/${encodeURIComponent(name)}`;

beforeAll(async () => {
  await callCouch('PUT', db);
  await callCouch('PUT', `${db}/one`, { body: { kind: 'cat' } });
});
afterAll(() => destroyDatabases(prefix));

it('a range of databases ends at its limit', async () => {
  const names = [`${prefix}a`, `${prefix}b`, `${prefix}c`];
  for (const each of names) await callCouch('PUT', `/${each}`);
  const range = new URLSearchParams({
    startkey: JSON.stringify(`${prefix}a`),
    endkey: JSON.stringify(`${prefix}c\u9999`),
    limit: '2',
  });
  const { status, json } = await callCouch('GET', `/_all_dbs?${range}`);
  expect([status, json]).toEqual([200, names.slice(0, 2)]);
});

it('a database with a document takes space', async () => {
  const { status, json } = await callCouch('GET', db);
  expect(status).toBe(200);
  expect(json).toMatchObject({ db_name: name, doc_count: 1 });
  const { file, external, active } = json.sizes;
  expect([file > 0, external > 0, active > 0]).toEqual([true, true, true]);
});

it.each(['/_users', '/_replicator'])('%s is there from the start', async (path) => {
  const { status, json } = await callCouch('GET', path);
  expect([status, json.db_name]).toEqual([200, path.slice(1)]);
});

it('the members of the cluster are nodes whose settings can be read', async () => {
  const { json: members } = await callCouch('GET', '/_membership');
  expect(members).toEqual({ all_nodes: members.cluster_nodes, cluster_nodes: expect.any(Array) });
  const { status, json } = await callCouch('GET', `/_node/${members.all_nodes[0]}/_config`);
  expect(status).toBe(200);
  const values = Object.values(json as object).flatMap((section) => Object.values(section));
  expect(values.filter((value) => typeof value !== 'string')).toEqual([]);
  expect(values.length).toBeGreaterThan(0);
});

it('a setting that is not there is 404', async () => {
  const { status, json } = await callCouch('GET', '/_node/_local/_config/nope/nope');
  expect([status, json]).toEqual([404, { error: 'not_found', reason: 'unknown_config_value' }]);
});

it('the setup page is asked for with two slashes', async () => {
  const { status, json } = await callCouch('GET', '//_cluster_setup');
  expect(status).toBe(200);
  expect(json.state).toMatch(/^[a-z_]+$/);
});

it('the indexes of a database come by pages', async () => {
  const { status, json } = await callCouch('GET', `${db}/_index?skip=0&limit=21`);
  expect(status).toBe(200);
  expect(json.indexes.map(({ type }: { type: string }) => type)).toEqual(['special']);
});

it('partitions are asked for with true or false', async () => {
  const { status, json } = await callCouch('PUT', `/${prefix}p?partitioned=maybe`);
  expect([status, json]).toEqual([
    400,
    { error: 'bad_request', reason: 'Invalid `partitioned` parameter' },
  ]);
  expect((await callCouch('PUT', `/${prefix}p?partitioned=false`)).status).toBe(201);
});
