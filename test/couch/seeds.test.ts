import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { accountDatabase, databases } from '../../src/couch/databases.js';
import { loadSeeds } from '../../src/couch/seeds.js';
import { failure, openOwnCouch } from './own-couch.js';

const ACCOUNT = 'c0ffee00000000000000000000000001';
const own = openOwnCouch();
const { couch } = own;
const accountDb = accountDatabase(ACCOUNT);
let dir: string;
let sealed = 0;

const transform = {
  // As with a real seal, no two results are alike.
  seal: (clear: string, id: string, field: string) => `sealed${++sealed}:${clear}:${id}:${field}`,
  digest: (clear: string) => `digest:${clear}`,
  password: async (accountId: string, username: string, password: string) => ({
    pvt_md5_auth_digest: `${accountId}:${username}:${password}`,
  }),
  operator: async (username: string, password: string) => `operator:${username}:${password}`,
};

const load = () => loadSeeds(couch, { dir, transform, now: () => 0 });

async function writeSeed(path: string, fields: unknown): Promise<void> {
  const file = join(dir, `${path}.json`);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, JSON.stringify(fields));
}

beforeEach(async () => {
  for (const name of await couch.listDatabases('')) await couch.destroyDatabase(name);
  await couch.createDatabase(databases.ops);
  dir = await mkdtemp(join(tmpdir(), 'telcouch-seeds-'));
  await writeSeed('dedicated_ips/1.2.3.4', { pvt_type: 'dedicated_ip', pvt_created: 5 });
  await writeSeed(`${accountDb}/a%3Ab`, {
    pvt_type: 'user',
    pvt_account_id: ACCOUNT,
    pvt_key: { $seal: 'secret' },
    pvt_api_key_digest: { $digest: 'key' },
    login: { $password: { username: 'admin', password: 'demo' } },
  });
});

afterEach(() => rm(dir, { recursive: true }));
afterAll(() => own.cleanUp());

test('seeds are stored under their names, stamped and with their marks replaced', async () => {
  expect(await load()).toEqual({ created: 2, updated: 0, unchanged: 0, kept: [] });
  expect(await couch.database(databases.dedicatedIps).get('1.2.3.4')).toEqual({
    _id: '1.2.3.4',
    _rev: expect.any(String),
    pvt_type: 'dedicated_ip',
    pvt_vsn: '1',
    pvt_created: 5,
    pvt_modified: 62167219200,
    pvt_request_id: expect.stringMatching(/^[0-9a-f]{32}$/),
  });
  expect(await couch.database(accountDb).get('a:b')).toEqual({
    _id: 'a:b',
    _rev: expect.any(String),
    pvt_type: 'user',
    pvt_vsn: '1',
    pvt_account_id: ACCOUNT,
    pvt_created: 62167219200,
    pvt_modified: 62167219200,
    pvt_key: expect.stringMatching(/^sealed\d+:secret:a:b:pvt_key$/),
    pvt_api_key_digest: 'digest:key',
    pvt_md5_auth_digest: `${ACCOUNT}:admin:demo`,
    pvt_request_id: expect.any(String),
  });
});

test('loading again writes nothing, not even where it remembers', async () => {
  await load();
  const db = couch.database(accountDb);
  const before = [await db.get('a:b'), await couch.database(databases.ops).get('seeds')];
  expect(await load()).toEqual({ created: 0, updated: 0, unchanged: 2, kept: [] });
  expect([await db.get('a:b'), await couch.database(databases.ops).get('seeds')]).toEqual(before);
});

test('a changed seed is written over its document only while nobody changed that', async () => {
  await load();
  await writeSeed('dedicated_ips/1.2.3.4', { pvt_type: 'dedicated_ip', pvt_zone: 'new' });
  expect(await load()).toEqual({ created: 0, updated: 1, unchanged: 1, kept: [] });
  const db = couch.database(databases.dedicatedIps);
  const doc = await db.get('1.2.3.4');
  expect(doc).toMatchObject({ pvt_zone: 'new' });
  await db.put({ ...doc, pvt_zone: 'theirs', pvt_request_id: 'theirs' });
  expect(await load()).toMatchObject({ unchanged: 2, kept: [] });
  await writeSeed('dedicated_ips/1.2.3.4', { pvt_type: 'dedicated_ip', pvt_zone: 'newer' });
  const kept = ['dedicated_ips/1.2.3.4'];
  expect(await load()).toEqual({ created: 0, updated: 0, unchanged: 1, kept });
  expect(await db.get('1.2.3.4')).toMatchObject({ pvt_zone: 'theirs' });
});

test('a seed somebody deleted stays deleted, one that was there first is kept', async () => {
  await load();
  const db = couch.database(databases.dedicatedIps);
  await db.remove(await db.get('1.2.3.4'));
  expect(await load()).toMatchObject({ unchanged: 2, created: 0 });
  expect(await db.find('1.2.3.4')).toBeUndefined();
  await db.put({ _id: '9.9.9.9', pvt_zone: 'theirs' });
  await writeSeed('dedicated_ips/9.9.9.9', { pvt_zone: 'ours' });
  expect(await load()).toMatchObject({ created: 0, kept: ['dedicated_ips/9.9.9.9'] });
});

test('a load that was cut off before it could remember goes on where it was', async () => {
  await load();
  const ops = couch.database(databases.ops);
  await ops.remove(await ops.get('seeds'));
  expect(await load()).toEqual({ created: 0, updated: 0, unchanged: 2, kept: [] });
  await writeSeed('dedicated_ips/1.2.3.4', { pvt_type: 'dedicated_ip', pvt_zone: 'new' });
  expect(await load()).toMatchObject({ updated: 1, unchanged: 1 });
});

test('a load that fails half way remembers what it wrote', async () => {
  await writeSeed('zzz/last', { pvt_x: { $password: {} } });
  expect(await failure(load())).toMatchObject({ code: 'internal', subject: 'last' });
  expect(await couch.database(databases.ops).get('seeds')).toMatchObject({
    pvt_seeds: { 'dedicated_ips/1.2.3.4': { hash: expect.any(String), rev: expect.any(String) } },
  });
});

test.each([
  ['a mark below the top level', { sip: { password: { $seal: 'clear' } } }],
  ['a mark in a list', { list: [{ $digest: 'clear' }] }],
  ['a mark without a text', { pvt_key: { $seal: 1 } }],
  ['a list instead of a document', [1]],
])('%s is refused and never stored in clear', async (_, fields) => {
  await couch.createDatabase(databases.dedicatedIps);
  await writeSeed('dedicated_ips/bad', fields);
  const error = await failure(load());
  expect(error).toMatchObject({ code: 'internal' });
  expect(String(error)).not.toMatch(/clear/);
  expect(await couch.database(databases.dedicatedIps).find('bad')).toBeUndefined();
});

test('the database of a seed is prepared by whoever knows how', async () => {
  const prepared: string[] = [];
  const prepareDatabase = async (name: Parameters<typeof couch.createDatabase>[0]) => {
    prepared.push(name);
    await couch.createDatabase(name);
  };
  await loadSeeds(couch, { dir, transform, prepareDatabase });
  expect(prepared).toEqual([accountDb, 'dedicated_ips']);
});
