import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { accountDatabase, databases, systemDatabases } from '../../src/couch/databases.js';
import { type Design, deployDesigns, missingDesigns, readDesigns } from '../../src/couch/ddocs.js';
import { type Designs, designsOf } from '../../src/couch/designs.js';
import {
  installAccountDatabase,
  installAccountDatabases,
  installSystem,
  systemReady,
} from '../../src/couch/install.js';
import type { Database } from '../../src/couch/types.js';
import { functionText, reduceText } from '../../src/couch/view-source.js';
import { type MisbehavingServer, startMisbehavingServer } from '../support/misbehaving-server.js';
import { storeUrl } from '../support/store.js';
import { failure, openOwnCouch } from './own-couch.js';

const own = openOwnCouch();
const { couch } = own;
let dir: string;
let server: MisbehavingServer;

beforeAll(async () => {
  server = await startMisbehavingServer(storeUrl());
  dir = await mkdtemp(join(tmpdir(), 'telcouch-views-'));
});

afterAll(async () => {
  await rm(dir, { recursive: true });
  await own.cleanUp();
  await server.close();
});

describe('the text of a view', () => {
  const plain = `function map(doc) {
  if (doc.a) return;
  emit(doc._id, 1);
}
`;

  test('is its function in parentheses', () => {
    expect(functionText(plain, 'f')).toBe(
      '(function map(doc) {\n  if (doc.a) return;\n  emit(doc._id, 1);\n})',
    );
  });

  test.each([
    ['above', `// Which?\n/* Key: id. */\n${plain}`],
    ['behind', `${plain}// the end\n`],
    ['at the end of a line', plain.replace('return;', 'return; // not those')],
    ['on a line of its own', plain.replace('  emit', '\n  // because\n  emit')],
    ['over several lines', plain.replace('  emit', '  /* one\n     two */\n  emit')],
    ['within a line', plain.replace('(doc)', '(/* the document */doc)')],
    ['before a line’s first word', plain.replace('  emit', '  /* now */ emit')],
  ])('is the same with a comment %s', (_, source) => {
    expect(functionText(source, 'f')).toBe(functionText(plain, 'f'));
  });

  test('keeps what only looks like a comment', () => {
    const source = "function map(doc) { if (/\\/\\*x/.test(doc.a)) emit('http://x /* y */', 1); }";
    expect(functionText(source, 'f')).toBe(`(${source})`);
  });

  test('never joins words that a comment kept apart', () => {
    const source = 'function map(doc) { return/**/doc + /**/+doc; }';
    expect(functionText(source, 'f')).toBe('(function map(doc) { return doc + +doc; })');
  });

  test.each([
    ['no function', '1;'],
    ['two functions', 'function a() {}\nfunction b() {}'],
    ['a function and more', 'function a() {}\nvar b = 1;'],
    ['a nameless function', '(function () {});'],
    ['newer JavaScript', 'function map(doc) { const a = (b) => b; }'],
    ['no JavaScript', 'function map(doc) {'],
  ])('is refused for %s', async (_, source) => {
    const error = await failure((async () => functionText(source, 'a/map.js'))());
    expect(error).toMatchObject({ code: 'internal', subject: 'a/map.js' });
  });

  test('of a reduce may be the name of a built-in', () => {
    expect(reduceText('_count\n', 'f')).toBe('_count');
    expect(reduceText('// all\nfunction r() { return true; }\n', 'f')).toBe(
      '(function r() { return true; })',
    );
  });
});

describe('design documents', () => {
  const name = databases.claims;
  let designs: Designs;
  let db: Database;

  const design = (value: number): Design => ({
    name: 'things',
    views: { by_id: { map: `(function map(doc) { emit(doc._id, ${value}); })`, reduce: '_sum' } },
  });
  const things = async (client = couch): Promise<unknown> =>
    (await client.database(name).view(['things', 'by_id'], { limit: 1 }))[0]?.value;
  const revision = async (): Promise<string | undefined> => (await designs.find('things'))?._rev;

  beforeEach(async () => {
    await couch.destroyDatabase(name);
    await couch.createDatabase(name);
    designs = designsOf(couch, name);
    db = couch.database(name);
    await db.put({ _id: 'thing' });
  });

  test('are read from folders and files', async () => {
    const folder = join(dir, 'class', 'things', 'by_id');
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'map.js'), '// Q\nfunction map(doc) { emit(doc._id, 1); }\n');
    await writeFile(join(folder, 'reduce'), '_sum\n');
    expect(await readDesigns(join(dir, 'class'))).toEqual([design(1)]);
    await mkdir(join(dir, 'bad', 'Wrong Name'), { recursive: true });
    expect(await failure(readDesigns(join(dir, 'bad')))).toMatchObject({ code: 'internal' });
  });

  test('are written once and left alone while they are the same', async () => {
    expect(await missingDesigns(designs, [design(1)])).toEqual(['things']);
    expect(await deployDesigns(designs, [design(1)])).toEqual(['things']);
    expect(await missingDesigns(designs, [design(1)])).toEqual([]);
    const before = await revision();
    expect(await deployDesigns(designs, [design(1)])).toEqual([]);
    expect(await revision()).toBe(before);
    expect(await things()).toBe(1);
  });

  test('that change are swapped and nothing staged is left', async () => {
    await deployDesigns(designs, [design(1)]);
    expect(await deployDesigns(designs, [design(2)])).toEqual(['things']);
    expect(await things()).toBe(2);
    expect(await designs.find('staged-things')).toBeUndefined();
  });

  test('answer as before until their successors are built', async () => {
    await deployDesigns(designs, [design(1)]);
    await Promise.all([
      (async () => {
        for (let n = 0; n < 20; n++) expect([1, 2]).toContain(await things());
      })(),
      deployDesigns(designs, [design(2)]),
    ]);
    expect(await things()).toBe(2);
  });

  test('of an interrupted deploy are picked up, whatever it had staged', async () => {
    await deployDesigns(designs, [design(1)]);
    for (const staged of [design(2), design(3)]) {
      const left = { _id: '_design/staged-things', language: 'javascript', views: staged.views };
      await designs.put(left);
      await deployDesigns(designs, [design(2)]);
      expect(await things()).toBe(2);
      expect(await designs.find('staged-things')).toBeUndefined();
    }
  });

  test('of several processes that deploy at once all end well', async () => {
    await deployDesigns(designs, [design(1)]);
    const clients = [couch, own.another(), own.another(), own.another()];
    await Promise.all(clients.map((client) => deployDesigns(designsOf(client, name), [design(5)])));
    expect(await things()).toBe(5);
    expect(await missingDesigns(designs, [design(5)])).toEqual([]);
    expect(await designs.find('staged-things')).toBeUndefined();
  });

  test('are waited for through time-outs, with a word about it, until patience ends', async () => {
    const slow = designsOf(own.another({ url: server.url, timeoutMs: 2000 }), name);
    const progress: string[] = [];
    const options = { stepMs: 50, onProgress: (message: string) => progress.push(message) };
    // Finding live and staged, then the questions to the view.
    const silent = { kind: 'withheld' } as const;
    const pass = { kind: 'lag', ms: 0 } as const;
    server.fail([pass, pass, silent, silent], 'GET');
    await deployDesigns(slow, [design(7)], options);
    expect(progress).toEqual([
      expect.stringMatching(/^building things, \d+ s so far$/),
      expect.stringMatching(/^building things/),
    ]);
    server.fail([pass, pass, silent, silent, silent], 'GET');
    const impatient = deployDesigns(slow, [design(8)], { ...options, patienceMs: 60 });
    expect(await failure(impatient)).toMatchObject({ code: 'unavailable' });
    expect(await things()).toBe(7);
  });

  test('with a map that the store cannot compile fail the deploy', async () => {
    const broken: Design = { name: 'things', views: { by_id: { map: '(function map(doc) {' } } };
    expect(await failure(deployDesigns(designs, [broken]))).toMatchObject({ code: 'internal' });
  });
});

describe('an installation', () => {
  test('is not ready, is installed and is ready, as often as one likes', async () => {
    for (const { name } of systemDatabases) await couch.destroyDatabase(name);
    expect(await systemReady(couch)).toEqual(
      systemDatabases.map(({ name }) => `database ${name} is missing`),
    );
    await installSystem(couch);
    expect(await systemReady(couch)).toEqual([]);
    await Promise.all([installSystem(couch), installSystem(own.another())]);
    expect(await systemReady(couch)).toEqual([]);
    const accounts = designsOf(couch, databases.accounts);
    const live = await accounts.find('accounts');
    await accounts.put({ _id: '_design/accounts', _rev: live?._rev ?? '', _deleted: true });
    expect(await systemReady(couch)).toEqual(['accounts: accounts is not deployed']);
  });

  test('two processes that install an empty store at once both end well', async () => {
    for (const { name } of systemDatabases) await couch.destroyDatabase(name);
    await Promise.all([installSystem(couch), installSystem(own.another())]);
    expect(await systemReady(couch)).toEqual([]);
  });

  test('gives an account its database with working views, also when that was cut off', async () => {
    const id = 'c0ffee00000000000000000000000001';
    const name = accountDatabase(id);
    expect(await installAccountDatabase(couch, id)).toBe(true);
    expect(await installAccountDatabase(couch, id)).toBe(false);
    const db = couch.database(name);
    await db.put({ _id: 'u1', pvt_type: 'user', username: 'bob', first_name: 'B', last_name: 'B' });
    expect(await db.view(['users', 'list_by_username'], { key: 'bob', limit: 2 })).toEqual([
      { id: 'u1', key: 'bob', value: null },
    ]);
    await couch.destroyDatabase(name);
    await couch.createDatabase(name);
    expect(await installAccountDatabase(couch, id)).toBe(false);
    expect(await db.view(['telcouch', 'copies_by_type'], { limit: 1 })).toEqual([]);
    expect(await installAccountDatabases(couch)).toBe(1);
  });
});
