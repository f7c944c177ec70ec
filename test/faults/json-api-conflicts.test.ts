import { setTimeout as sleep } from 'node:timers/promises';
import { toGregorian } from '../../src/core/gregorian.js';
import { databases } from '../../src/couch/databases.js';
import type { SavedDoc } from '../../src/couch/types.js';
import { hiddenRevisions, makeConflict } from '../support/conflicts.js';
import { ANY_TERMS, basic, callAs, LIST, newCustomer } from '../support/json-api.js';
import { RESELLER, startTestService, type TestService } from '../support/service.js';
import { soonEqual } from '../support/soon.js';

const PASSWORD = 'secret-12';
const OTHER = 'another-one';
/** What others wrote is seen after this time, milliseconds. */
const SEEN_MS = 1_000;
const HOUR_AGO = toGregorian(Date.now() - 3_600_000);

let service: TestService;
let accountId: string;
let names = 0;

beforeAll(async () => {
  service = await startTestService();
  accountId = await newCustomer(service, 'conflicts');
});
afterAll(() => service.stop());

const operators = () => service.services.operators.service;
const statusOf = async (name: string, password: string) =>
  (await callAs(service, basic(name, password))('GET', `${LIST}?page[size]=1`)).status;

/** The document as another cluster has it, from before what is stored now. */
async function hide(database: string, doc: SavedDoc, fields: object = {}): Promise<void> {
  const { _rev, ...rest } = doc;
  const theirs = { ...rest, _id: doc._id, pvt_modified: HOUR_AGO, ...fields };
  await makeConflict(service.dbPrefix + database, theirs, '1-00');
}

describe('an operator that another cluster has as well', () => {
  const database = databases.operators;
  const hidden = (name: string) => hiddenRevisions(service.dbPrefix + database, name);

  async function twice(): Promise<string> {
    const name = `ops-${++names}`;
    const { stored } = await operators().create(name, RESELLER, PASSWORD);
    // A second revision, so that the other one has lost to it.
    await operators().setEnabled(name, true);
    await hide(database, stored);
    expect(await hidden(name)).toHaveLength(1);
    return name;
  }

  it('does not sign in again with its old password when it was deleted', async () => {
    const name = await twice();
    expect(await statusOf(name, PASSWORD)).toBe(200);
    await operators().remove(name);
    expect(await statusOf(name, PASSWORD)).toBe(401);
    expect(await service.couch.database(database).find(name)).toBeUndefined();
    await operators().create(name, RESELLER, OTHER);
    expect([await statusOf(name, PASSWORD), await statusOf(name, OTHER)]).toEqual([401, 200]);
  });

  it.each([
    ['given another password', (name: string) => operators().setPassword(name, OTHER)],
    ['disabled', (name: string) => operators().setEnabled(name, false)],
  ])('has no older password behind it when it was %s', async (_how, change) => {
    const name = await twice();
    await change(name);
    expect(await hidden(name)).toEqual([]);
    // Another cluster deletes what won.
    const db = service.couch.database(database);
    await db.remove(await db.get(name));
    expect(await db.find(name)).toBeUndefined();
    await soonEqual(() => statusOf(name, PASSWORD), 401);
  });

  it('is left with one revision by a repair', async () => {
    const name = await twice();
    expect(await service.services.refresh.conflicts()).toEqual({ hiddenRevisionsRemoved: 1 });
    expect(await hidden(name)).toEqual([]);
    expect(await statusOf(name, PASSWORD)).toBe(200);
  });
});

describe('a SIP account that another cluster has as well', () => {
  const sipAccounts = () => service.services.sipAccounts.service;
  const truths = () => service.couch.database(databases.sipAuth);
  const stored = () => service.dbPrefix + databases.sipAuth;
  const call = (query: string) => callAs(service)('GET', `${LIST}?${query}`);
  const listed = async () => {
    const query = 'filter[customer.id]=conflicts&fields[sip_device_routes]=username';
    const { body } = await call(query);
    const shown = body.data.map((each: { attributes: object }) => each.attributes);
    expect(body.meta.record_count).toBe(shown.length);
    return shown;
  };

  async function made(): Promise<string> {
    const username = `phone-${++names}`;
    return (await sipAccounts().create(accountId, { username, password: PASSWORD })).id;
  }

  const shownAs = (username: string) => ({ username });
  const nameOf = () => `phone-${names}`;

  afterEach(async () => {
    for (const doc of await truths().listDocs({ limit: 500 })) {
      if (doc['pvt_account_id'] === accountId) await truths().remove(doc);
    }
    await sleep(SEEN_MS);
  });

  it('does not come back when it was deleted', async () => {
    const id = await made();
    const first = await truths().get(id);
    await sipAccounts().setPassword(id, OTHER);
    await hide(databases.sipAuth, first);
    expect(await hiddenRevisions(stored(), id)).toHaveLength(1);
    expect(await listed()).toEqual([shownAs(nameOf())]);
    await sipAccounts().remove(id);
    expect(await truths().find(id)).toBeUndefined();
    expect(await listed()).toEqual([]);
    await sleep(SEEN_MS);
    expect(await listed()).toEqual([]);
  });

  it('is left with one revision by a repair', async () => {
    const id = await made();
    const first = await truths().get(id);
    await sipAccounts().setPassword(id, OTHER);
    await hide(databases.sipAuth, first);
    expect(await service.services.refresh.conflicts()).toEqual({ hiddenRevisionsRemoved: 1 });
    expect(await hiddenRevisions(stored(), id)).toEqual([]);
  });

  it('is in the list again when it comes by replication after it was deleted', async () => {
    const id = await made();
    const first = await truths().get(id);
    expect(await listed()).toEqual([shownAs(nameOf())]);
    await sipAccounts().remove(id);
    expect(await listed()).toEqual([]);
    await sleep(SEEN_MS);
    await hide(databases.sipAuth, first, { sip: { username: 'theirs', realm: 'x' } });
    await soonEqual(listed, [shownAs('theirs')]);
  });

  it('is as its document when a lower revision wins again, and follows updates of it', async () => {
    const id = await made();
    const first = await truths().get(id);
    const { _rev, ...fields } = first;
    const apart = { ...fields, _id: id, sip: { username: 'theirs', realm: 'x' } };
    const theirs = await makeConflict(stored(), apart, '4-f');
    await soonEqual(listed, [shownAs('theirs')]);
    // They delete it: what was created here is read again.
    await truths().put({ _id: id, _rev: theirs, _deleted: true });
    expect((await truths().get(id))._rev).toBe(_rev);
    await soonEqual(listed, [shownAs(nameOf())]);
    await sipAccounts().patch(id, { callerIdName: 'Mine' }, ANY_TERMS);
    const filter = 'filter[caller_id_name]=Mine&fields[sip_device_routes]=username';
    expect((await call(filter)).body.data).toHaveLength(1);
  });
});
