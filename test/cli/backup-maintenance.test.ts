import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { appendFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { callCouch } from '../support/couch-call.js';
import { CUSTOMER, MASTER, startTestService, type TestService } from '../support/service.js';
import { destroyDatabases, uniquePrefix } from '../support/store.js';
import { runSup, sharedStore } from './run-sup.js';

const KEYRING = `test:${randomBytes(32).toString('base64')}`;
const ODD_ID = 'conflicted/ü';

let source: TestService;
let folder: string;
const from = uniquePrefix();
const to = uniquePrefix();

const sup = (prefix: string, ...args: string[]) =>
  runSup(args, { env: sharedStore(prefix, KEYRING) });

/** Without couchbackup's own warning, which is for databases that have attachments. */
function remarksOf(stderr: string): string {
  return stderr.replace(/^WARNING: The "attachments" option .*\n/m, '');
}

const path = (prefix: string, database: string) => `/${encodeURIComponent(prefix + database)}`;

/** Every document of a database with its conflicts, and its design documents. */
async function contentOf(prefix: string, database: string): Promise<unknown> {
  const answer = await callCouch(
    'GET',
    `${path(prefix, database)}/_all_docs?include_docs=true&conflicts=true`,
  );
  expect(answer.status).toBe(200);
  return answer.json.rows.map(({ doc }: { doc: unknown }) => doc);
}

/** Two revisions of one document, an attachment, a rule: what a plain copy of documents loses. */
async function addOddities(): Promise<void> {
  const database = path(from, 'dedicated_ips');
  const docs = ['a', 'b'].map((letter) => ({
    _id: ODD_ID,
    _rev: `1-${letter.repeat(32)}`,
    _revisions: { start: 1, ids: [letter.repeat(32)] },
    letter,
  }));
  const written = await callCouch('POST', `${database}/_bulk_docs`, {
    body: { new_edits: false, docs },
  });
  expect(written.status).toBe(201);
  const note = { content_type: 'text/plain', data: Buffer.from('a note').toString('base64') };
  const attached = await callCouch('PUT', `${database}/with-note`, {
    body: { _attachments: { 'note.txt': note } },
  });
  expect(attached.status).toBe(201);
  const security = { admins: { roles: ['ops'] }, members: { names: ['reader'], roles: [] } };
  const protectedNow = await callCouch('PUT', `${database}/_security`, { body: security });
  expect(protectedNow.status).toBe(200);
}

beforeAll(async () => {
  source = await startTestService({ dbPrefix: from, keyring: KEYRING });
  const token = await source.tokenOf(1);
  await source.call('POST', `/v2/accounts/${CUSTOMER}/ips/1.2.3.4`, { token, body: {} });
  await addOddities();
});

beforeEach(async () => {
  folder = join(await mkdtemp(join(tmpdir(), 'telcouch-backup-')), 'b');
});

afterEach(async () => {
  await rm(join(folder, '..'), { recursive: true, force: true });
  await destroyDatabases(to);
});

afterAll(async () => {
  await source.stop();
});

describe('sup backup_maintenance', () => {
  it('restores into another installation what it has backed up, conflicts and all', async () => {
    const backedUp = await sup(from, '--json', 'backup_maintenance', 'backup', folder);
    expect([backedUp.code, remarksOf(backedUp.stderr)]).toEqual([
      0,
      'sup: the keyring is not part of a backup: keep KEYRING or its file with it\n',
    ]);
    const manifest = JSON.parse(await readFile(join(folder, 'manifest.json'), 'utf8'));
    const names: string[] = manifest.databases.map(({ name }: { name: string }) => name);
    expect(names).toContain('dedicated_ips');
    expect(names).toContain(
      `account/${CUSTOMER.slice(0, 2)}/${CUSTOMER.slice(2, 4)}/${CUSTOMER.slice(4)}`,
    );
    expect(names).not.toContain('ops-top');
    const restored = await sup(to, '--json', 'backup_maintenance', 'restore', folder);
    expect([restored.code, remarksOf(restored.stderr)]).toEqual([0, '']);
    expect(JSON.parse(restored.stdout)).toEqual(JSON.parse(backedUp.stdout));
    for (const name of names) {
      expect([name, await contentOf(to, name)]).toEqual([name, await contentOf(from, name)]);
    }
    const note = await callCouch('GET', `${path(to, 'dedicated_ips')}/with-note/note.txt`);
    expect(note.text).toBe('a note');
    const rules = await callCouch('GET', `${path(to, 'dedicated_ips')}/_security`);
    expect(rules.json.members).toEqual({ names: ['reader'], roles: [] });
    const second = await startTestService({ dbPrefix: to, keyring: KEYRING, isSecond: true });
    try {
      const token = await second.tokenOf(1);
      const answer = await second.call('GET', `/v2/accounts/${MASTER}/ips/1.2.3.4`, { token });
      expect(answer.body.data).toMatchObject({ ip: '1.2.3.4', assigned_to: CUSTOMER });
    } finally {
      await second.stop();
    }
  }, 120_000);

  it('refuses to restore over documents, and does so with --force', async () => {
    expect((await sup(from, 'backup_maintenance', 'backup', folder)).code).toBe(0);
    const refused = await sup(from, 'backup_maintenance', 'restore', folder);
    expect(refused.code).toBe(2);
    expect(refused.stderr).toMatch(
      /^sup: nothing was restored, there are documents in .*accounts, .*--force deletes/,
    );
    const wanted = await contentOf(from, 'accounts');
    expect((await sup(to, 'backup_maintenance', 'restore', folder)).code).toBe(0);
    const stray = await callCouch('PUT', `${path(to, 'accounts')}/stray`, { body: {} });
    expect(stray.status).toBe(201);
    expect((await sup(to, 'backup_maintenance', 'restore', folder, '--force')).code).toBe(0);
    expect(await contentOf(to, 'accounts')).toEqual(wanted);
  }, 120_000);

  it('finds every kind of damage, and restores nothing of a damaged backup', async () => {
    expect((await sup(from, 'backup_maintenance', 'backup', folder)).code).toBe(0);
    const right = await sup(from, 'backup_maintenance', 'verify', folder);
    expect([right.code, right.stderr]).toEqual([0, '']);
    expect(right.stdout).toContain('dedicated_ips: ');
    const file = join(folder, 'dedicated_ips.ndjson.gz');
    const whole = await readFile(file);
    const flipped = Buffer.from(whole);
    flipped.writeUInt8(flipped.readUInt8(40) ^ 1, 40);
    for (const damaged of [whole.subarray(0, -20), flipped, Buffer.alloc(0)]) {
      await writeFile(file, damaged);
      const verified = await sup(from, '--json', 'backup_maintenance', 'verify', folder);
      expect(verified.code).toBe(2);
      expect(Object.keys(JSON.parse(verified.stdout).faults)).toEqual(['dedicated_ips']);
    }
    const refused = await sup(to, 'backup_maintenance', 'restore', folder);
    expect(refused.code).toBe(2);
    expect(refused.stderr).toMatch(/nothing was restored, the backup is damaged: dedicated_ips/);
    await rm(file);
    expect((await sup(from, 'backup_maintenance', 'verify', folder)).code).toBe(2);
    await writeFile(file, whole);
    await appendFile(join(folder, 'manifest.json'), ' ');
    const changed = await sup(from, 'backup_maintenance', 'verify', folder);
    expect(changed.stderr).toMatch(/manifest.json is not what manifest.sha256 says it is/);
    const left = await callCouch('GET', path(to, 'dedicated_ips'));
    expect(left.status).toBe(404);
  }, 120_000);

  it('takes only an empty folder, and a folder without manifest for no backup', async () => {
    const occupied = join(folder, '..');
    await writeFile(join(occupied, 'mine.txt'), 'mine');
    const refused = await sup(from, 'backup_maintenance', 'backup', occupied);
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain('is not empty; a backup needs a folder of its own');
    expect(await readdir(occupied)).toEqual(['mine.txt']);
    const verified = await sup(from, 'backup_maintenance', 'verify', occupied);
    expect(verified.stderr).toContain('it is no backup, or one that was never finished');
    expect(existsSync(join(occupied, 'manifest.json'))).toBe(false);
  });

  it('never shows the login of the store', async () => {
    const result = await runSup(['backup_maintenance', 'backup', folder], {
      env: { ...sharedStore(from, KEYRING), COUCHDB_URL: 'http://ops:s3cret-word@127.0.0.1:9' },
    });
    expect(result.code).toBe(3);
    expect(result.stderr).not.toContain('s3cret-word');
  }, 30_000);
});
