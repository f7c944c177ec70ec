import { setTimeout as sleep } from 'node:timers/promises';
import { createCouch } from '../../src/couch/client.js';
import { databases } from '../../src/couch/databases.js';
import { createFollowed, type Followed } from '../../src/couch/followed.js';
import type { Couch, SavedDoc } from '../../src/couch/types.js';
import { type CuttableProxy, startCuttableProxy } from '../support/cuttable-proxy.js';
import { storeUrl } from '../support/store.js';
import { openOwnCouch } from './own-couch.js';

const own = openOwnCouch();
const { couch } = own;
/** Another process's way to the same documents. */
const others = couch.database(databases.dedicatedIps);
const ONE_SECOND_MS = 1_000;

let proxy: CuttableProxy;
let throughProxy: Couch;
let reader: Followed<SavedDoc>;
let loads: string[];

async function newDoc(id: string, n = 1): Promise<SavedDoc> {
  return others.put({ _id: id, n });
}

/** Reads until the second of two reads in a row is answered from memory. */
async function waitUntilRemembered(id: string): Promise<void> {
  for (let tries = 0; tries < 100; tries += 1) {
    await reader.get(id);
    const before = loads.length;
    await reader.get(id);
    if (loads.length === before) return;
    await sleep(50);
  }
  throw new Error(`${id} is never answered from memory`);
}

beforeAll(async () => {
  await couch.createDatabase(databases.dedicatedIps);
  proxy = await startCuttableProxy(storeUrl());
});

beforeEach(() => {
  loads = [];
  throughProxy = createCouch({ url: proxy.url, dbPrefix: own.dbPrefix, timeoutMs: 2_000 });
  const database = throughProxy.database(databases.dedicatedIps);
  reader = createFollowed({
    database,
    load: (id) => {
      loads.push(id);
      return database.find(id);
    },
  });
});

afterEach(async () => {
  reader.stop();
  proxy.mend();
  await throughProxy.close();
});

afterAll(async () => {
  await own.cleanUp();
  await proxy.close();
});

describe('reads that follow the changes', () => {
  test('load a document once, however often it is read', async () => {
    const doc = await newDoc('often');
    await waitUntilRemembered('often');
    const before = loads.length;
    for (let n = 0; n < 100; n += 1) expect(await reader.get('often')).toEqual(doc);
    expect(loads.length).toBe(before);
  });

  test('show a write of this process at once, whatever kind of write it is', async () => {
    const doc = await newDoc('mine');
    await waitUntilRemembered('mine');
    const second = await reader.database.put({ ...doc, n: 2 });
    expect(await reader.get('mine')).toEqual(second);
    await waitUntilRemembered('mine');
    const [third] = await reader.database.putMany([{ ...second, n: 3 }]);
    expect(await reader.get('mine')).toMatchObject({ n: 3 });
    await waitUntilRemembered('mine');
    if (third?.ok !== true) throw new Error('the third write was refused');
    await reader.database.remove(third.doc);
    expect(await reader.get('mine')).toBeUndefined();
  });

  test('show the writes and deletions of others within a second', async () => {
    const doc = await newDoc('theirs');
    await waitUntilRemembered('theirs');
    const second = await others.put({ ...doc, n: 2 });
    await sleep(ONE_SECOND_MS);
    expect(await reader.get('theirs')).toEqual(second);
    await waitUntilRemembered('theirs');
    await others.remove(second);
    await sleep(ONE_SECOND_MS);
    expect(await reader.get('theirs')).toBeUndefined();
  });

  test('never remember that a document is missing', async () => {
    await newDoc('there');
    await waitUntilRemembered('there');
    expect(await reader.get('later')).toBeUndefined();
    const doc = await newDoc('later');
    expect(await reader.get('later')).toEqual(doc);
  });

  test('answer nothing from memory once the changes cannot be followed', async () => {
    const doc = await newDoc('cut off');
    await waitUntilRemembered('cut off');
    proxy.silence();
    await sleep(ONE_SECOND_MS);
    await expect(reader.get('cut off')).rejects.toMatchObject({ code: 'unavailable' });
    const second = await others.put({ ...doc, n: 2 });
    proxy.mend();
    for (let tries = 0; ; tries += 1) {
      const read = await reader.get('cut off').catch(() => undefined);
      if (read !== undefined) {
        expect(read).toEqual(second);
        break;
      }
      expect(tries).toBeLessThan(100);
      await sleep(100);
    }
    await waitUntilRemembered('cut off');
    expect(await reader.get('cut off')).toEqual(second);
  });

  test('do not remember what was loaded while it was being changed', async () => {
    const doc = await newDoc('raced');
    await waitUntilRemembered('raced');
    let current = doc;
    for (let n = 2; n < 30; n += 1) {
      const [written] = await Promise.all([
        reader.database.put({ ...current, n }),
        reader.get('raced'),
        reader.get('raced'),
      ]);
      current = written;
      expect(await reader.get('raced')).toEqual(current);
    }
  });

  test('go on after a pause without readers, from what is stored by then', async () => {
    let nowMs = 0;
    const clocked = createFollowed({
      database: others,
      load: (id) => others.find(id),
      now: () => nowMs,
    });
    const doc = await newDoc('rested');
    expect(await clocked.get('rested')).toEqual(doc);
    nowMs += 60_000;
    const second = await others.put({ ...doc, n: 2 });
    expect(await clocked.get('rested')).toEqual(second);
    clocked.stop();
    expect(await clocked.get('rested')).toEqual(second);
  });
});
