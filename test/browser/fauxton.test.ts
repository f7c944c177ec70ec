import type { Locator } from 'playwright-core';
import { isFauxtonInstalled } from '../../src/embedded/fauxton.js';
import { ADMIN, type FauxtonBrowser, type FauxtonPage, startFauxton } from './fauxton-browser.js';

const EXECUTABLE = process.env['CHROMIUM_PATH'] ?? '';
const isInstalled = await isFauxtonInstalled();
// Jest counts what is skipped, so a run without a browser or without Fauxton's files says so.
const canRun = EXECUTABLE !== '' && isInstalled;
const title = isInstalled ? 'Fauxton' : 'Fauxton (not installed: npm run fauxton)';

const ACCOUNT_DB = 'account/c0/ff/ee00000000000000000000000001';
const ACCOUNT = encodeURIComponent(ACCOUNT_DB);
const ACCOUNT_ID = 'c0ffee00000000000000000000000001';

/** Clicks what a notification may lie over for some seconds. */
async function push(target: Locator): Promise<void> {
  await target.dispatchEvent('click');
}

(canRun ? describe : describe.skip)(title, () => {
  let fauxton: FauxtonBrowser;

  beforeAll(async () => {
    fauxton = await startFauxton(EXECUTABLE);
  });
  afterAll(async () => {
    await fauxton.stop();
  });

  /** A page that must not have complained, nor been refused anything but what is listed. */
  async function finish(
    seen: FauxtonPage,
    picture: string,
    refused: readonly string[] = [],
  ): Promise<void> {
    const complaints = await seen.close(picture);
    expect({ refused: seen.refused, complaints }).toEqual({ refused, complaints: [] });
  }

  it('asks for a login, says when it is wrong, and ends it', async () => {
    const seen = await fauxton.open('/', { anonymous: true });
    const { page } = seen;
    await page.fill('#username', ADMIN.user);
    await page.fill('#password', 'not the password');
    await page.click('#submit');
    await seen.notified('Name or password is incorrect.');
    await page.fill('#password', ADMIN.password);
    await page.click('#submit');
    await seen.notified('You have been logged in.');
    await page.getByRole('link', { name: 'dedicated_ips', exact: true }).waitFor();
    // Fauxton takes the refusal of a list that it still asks for when it logs out for a list.
    await page.waitForLoadState('networkidle');
    await page.getByText('Log Out').click();
    await seen.notified('You have been logged out.');
    await page.locator('#username').waitFor();
    await finish(seen, 'login', ['POST /_session 401']);
  });

  it('lists databases with slashes in their names, and their documents', async () => {
    const seen = await fauxton.open('/_all_dbs');
    const { page } = seen;
    const rows = page.locator('table.databases tbody tr');
    await rows.first().waitFor();
    const { json: names } = await fauxton.call('GET', '/_all_dbs');
    expect(await page.locator('table.databases tbody td:first-child').allInnerTexts()).toEqual(
      names,
    );
    const sizes = await page.locator('table.databases tbody td:nth-child(2)').allInnerTexts();
    expect(sizes.filter((size) => !/^(?!0 bytes)[\d.]+ (bytes|KB)$/.test(size))).toEqual([]);
    await page.getByRole('link', { name: ACCOUNT_DB, exact: true }).click();
    const ids = page.locator('.table-view-docs tbody tr');
    await ids.filter({ hasText: 'c0ffee' }).first().waitFor();
    const { json: info } = await fauxton.call('GET', `/${ACCOUNT}`);
    expect(await ids.count()).toBe(info.doc_count);
    expect(info.doc_count).toBeGreaterThan(2);
    await finish(seen, 'documents');
  });

  it('opens a document, saves a change, and tells of a conflict', async () => {
    const { json: before } = await fauxton.call('GET', `/${ACCOUNT}/${ACCOUNT_ID}`);
    const seen = await fauxton.open(`/database/${ACCOUNT}/${ACCOUNT_ID}`);
    expect(JSON.parse(await seen.readEditor())).toEqual(before);
    await seen.writeEditor(JSON.stringify({ ...before, note: 'from Fauxton' }));
    await seen.page.click('.save-doc');
    await seen.notified('Document saved successfully.');
    const { json: saved } = await fauxton.call('GET', `/${ACCOUNT}/${ACCOUNT_ID}`);
    expect(saved).toEqual({ ...before, _rev: saved._rev, note: 'from Fauxton' });
    expect(saved._rev).toMatch(/^2-/);

    await seen.goTo(`/database/${ACCOUNT}/${ACCOUNT_ID}`);
    expect(JSON.parse(await seen.readEditor())).toEqual(saved);
    const meanwhile = { ...saved, note: 'from somebody else' };
    await fauxton.call('PUT', `/${ACCOUNT}/${ACCOUNT_ID}`, { body: meanwhile });
    await seen.writeEditor(JSON.stringify({ ...saved, note: 'too late' }));
    await seen.page.click('.save-doc');
    await seen.notified('Document update conflict.');
    const { json: kept } = await fauxton.call('GET', `/${ACCOUNT}/${ACCOUNT_ID}`);
    expect(kept.note).toBe('from somebody else');
    await finish(seen, 'conflict', [`PUT /${ACCOUNT}/${ACCOUNT_ID} 409`]);
  });

  it('makes and deletes a database and its documents', async () => {
    const name = 'fauxton/of-its-own';
    const path = encodeURIComponent(name);
    const seen = await fauxton.open('/_all_dbs');
    const { page } = seen;
    await page.getByText('Create Database').click();
    await page.fill('#js-new-database-name', name);
    await page.click('#js-create-database');
    await seen.notified('Database created successfully');

    await push(page.getByRole('link', { name: 'Create Document' }));
    expect(JSON.parse(await seen.readEditor())).toEqual({
      _id: expect.stringMatching(/^[0-9a-f]{32}$/),
    });
    await seen.writeEditor(JSON.stringify({ _id: 'one', kind: 'cat' }));
    await page.click('.save-doc');
    await page.locator('.table-view-docs tbody tr', { hasText: 'one' }).waitFor();
    const { json: made } = await fauxton.call('GET', `/${path}/one`);
    expect(made).toEqual({ _id: 'one', _rev: expect.stringMatching(/^1-/), kind: 'cat' });

    await seen.goTo(`/database/${path}/one`);
    await seen.readEditor();
    await push(page.getByRole('button', { name: 'Delete' }));
    await page.locator('.modal-dialog').getByText('Delete Document').click();
    await seen.notified('Your document has been successfully deleted.');
    expect((await fauxton.call('GET', `/${path}/one`)).json.reason).toBe('deleted');

    await seen.goTo('/_all_dbs');
    await push(page.getByLabel(`Delete ${name}`));
    await page.locator('.modal-dialog input').fill(name);
    await page.locator('.modal-dialog').getByText('Delete Database').last().click();
    await seen.notified(`The database ${name} has been deleted.`);
    expect((await fauxton.call('GET', `/${path}`)).status).toBe(404);
    await finish(seen, 'deleted');
  });

  it('runs a view, whole, reduced by group, and by key', async () => {
    const view = '/database/dedicated_ips/_design/dedicated_ips/_view/zone_listing';
    const seen = await fauxton.open(view);
    const { page } = seen;
    const cells = page.locator('.table-view-docs tbody tr');
    await cells.filter({ hasText: '1.2.3.4' }).first().waitFor();
    expect(await cells.count()).toBe(7);
    await page.getByText('Options').click();
    await page.click('label[for=qoReduce]');
    await page.selectOption('#qoGroupLevel', { label: 'Exact' });
    await page.getByText('Run Query').click();
    await cells.filter({ hasText: '1.2.3.4' }).first().waitFor({ state: 'detached' });
    const groups = (await cells.allInnerTexts()).map((text) => text.trim().split(/\s+/));
    expect(groups).toEqual([
      ['eu-central', 'true'],
      ['us-east', 'true'],
      ['us-west', 'true'],
    ]);
    await finish(seen, 'view');
  });

  it('makes an index and runs a mango query with it', async () => {
    const seen = await fauxton.open('/database/dedicated_ips/_index');
    const { page } = seen;
    await page.getByText('"special: _id"').waitFor();
    await seen.writeEditor(JSON.stringify({ index: { fields: ['pvt_host'] }, name: 'by-host' }));
    await page.getByRole('button', { name: 'Create index' }).click();
    await seen.notified('Index is ready for querying.');
    await page.getByText('"json: pvt_host"').waitFor();

    await page.getByText('edit query').click();
    const selector = { pvt_host: 'proxy1.us-west.myswitch.com' };
    await seen.writeEditor(JSON.stringify({ selector }));
    await page.getByRole('button', { name: 'Explain' }).click();
    await page.getByText('by-host').first().waitFor();
    await page.getByRole('button', { name: 'Run Query' }).click();
    await page.getByText('Executed in').waitFor();
    await page.getByText('5.6.7.8').first().waitFor();
    expect(await page.getByText('1.2.3.4').count()).toBe(0);
    await finish(seen, 'mango');
  });

  it('stores permissions of a database with slashes in its name', async () => {
    const { json: before } = await fauxton.call('GET', `/${ACCOUNT}/_security`);
    const seen = await fauxton.open(`/database/${ACCOUNT}/permissions`);
    const members = seen.page.getByPlaceholder('Role').nth(1);
    await members.fill('support');
    await seen.page.getByRole('button', { name: 'Add Role' }).nth(1).click();
    await seen.notified('Database permissions has been updated.');
    const { json: after } = await fauxton.call('GET', `/${ACCOUNT}/_security`);
    expect(after).toEqual({
      ...before,
      members: { ...before.members, roles: [...before.members.roles, 'support'] },
    });
    await seen.page.reload();
    await seen.page.getByText('support', { exact: true }).waitFor();
    await finish(seen, 'permissions');
  });

  it('verifies the installation, replication included', async () => {
    const seen = await fauxton.open('/verifyinstall');
    await seen.page.getByRole('button', { name: 'Verify Installation' }).click();
    await seen.notified('Success! Your CouchDB installation is working. Time to Relax.');
    // It looks for leftovers of an earlier check first.
    await finish(seen, 'verified', ['GET /verifytestdb 404', 'GET /verifytestdb_replicate 404']);
  });

  it('replicates a database with slashes in its name into a new one', async () => {
    const seen = await fauxton.open(`/replication/_create/${ACCOUNT}`);
    const { page } = seen;
    await page.selectOption('#select-replication-source-auth', 'BASIC_AUTH');
    await page
      .locator('select#replication-target')
      .first()
      .selectOption('REPLICATION_TARGET_NEW_LOCAL_DATABASE');
    await page.selectOption('#select-replication-target-auth', 'BASIC_AUTH');
    for (const side of [0, 1]) {
      await page.getByPlaceholder('Username').nth(side).fill(ADMIN.user);
      await page.getByPlaceholder('Password').nth(side).fill(ADMIN.password);
    }
    await page.getByPlaceholder('Database name').fill('fauxton/copy');
    await page.click('#replicate');
    await seen.notified('has been scheduled.');
    while ((await fauxton.call('GET', '/_scheduler/docs')).json.docs[0]?.state !== 'completed') {
      await page.waitForTimeout(200);
    }
    await page.reload();
    await page.getByText('completed').first().waitFor();
    const { json: source } = await fauxton.call('GET', `/${ACCOUNT}/_all_docs`);
    const { json: target } = await fauxton.call('GET', '/fauxton%2Fcopy/_all_docs');
    expect(target.rows).toEqual(source.rows);
    await finish(seen, 'replicated');
  });

  it.each([
    ['/replication', 'New Replication'],
    ['/replication/_create', 'Start Replication'],
    ['/activetasks', 'No active tasks.'],
    ['/_config', 'max_document_size'],
    ['/_config/nonode@nohost/cors', 'CORS is currently disabled.'],
    ['/setup', 'Apache CouchDB is configured for production usage as a single node!'],
    ['/documentation', 'CouchDB Official Documentation'],
    [`/database/${ACCOUNT}/_changes`, '_design/account'],
    ['/database/dedicated_ips/_design/dedicated_ips/_info', 'Index Information'],
  ])('shows %s without a complaint', async (path, text) => {
    const seen = await fauxton.open(path);
    await seen.page.getByText(text).first().waitFor();
    await finish(seen, path.replaceAll(/\W+/g, '-'));
  });

  it('says that nothing is configured here, and that a password stays as it was', async () => {
    const seen = await fauxton.open('/_config');
    const { page } = seen;
    await page.locator('.config-show-value', { hasText: '67108864' }).click();
    await page.fill('.config-value-input', '1');
    await page.click('.btn-config-save');
    await seen.notified('The embedded store has no settings to change over HTTP.');
    await seen.goTo('/changePassword');
    await page.fill('#password', 'another password');
    await page.fill('#password-confirm', 'another password');
    await page.getByRole('button', { name: 'Change', exact: true }).click();
    await seen.notified('password NOT changed');
    const config = '/_node/nonode@nohost/_config';
    await finish(seen, 'config', [
      `PUT ${config}/couchdb/max_document_size 403`,
      `PUT ${config}/admins/${ADMIN.user} 403`,
    ]);
  });
});
