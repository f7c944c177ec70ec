import { setTimeout as sleep } from 'node:timers/promises';
import { databases } from '../../src/couch/databases.js';
import { hiddenRevisions, makeConflict } from '../support/conflicts.js';
import {
  ACCOUNT_OF,
  ADD,
  bodyOf,
  CHECK,
  clear,
  DEL,
  type Fields,
  ONE,
} from '../support/platform.js';
import { startTestService, type TestService } from '../support/service.js';
import { soonEqual } from '../support/soon.js';

const NOTHING = { result: false };
const IP = '10.0.0.1';
const ID = `${ACCOUNT_OF[1]}:4:0a000001:032:w`;
const FOUND = { result: true, authorized_ip: IP };
/** What others wrote is seen after this time, milliseconds. */
const SEEN_MS = 1_000;
const HOUR_AGO_S = Math.floor(Date.now() / 1000) - 3_600 + 62_167_219_200;

let service: TestService;
let stored: string;
let generation = 0;

beforeAll(async () => {
  service = await startTestService();
  stored = service.dbPrefix + databases.authorizedIps;
});
afterAll(() => service.stop());
beforeEach(async () => {
  await clear(service, ONE);
  await follow();
});

const call = (command: string, fields: Fields) => bodyOf(service, command, { ...ONE, ...fields });
const check = () => call(CHECK, { authorized_ip: IP });

/** Asks until the service has followed the changes for a while. */
async function follow(): Promise<void> {
  for (let n = 0; n < 4; n += 1) {
    await check();
    await sleep(SEEN_MS / 4);
  }
}

/** The document as another cluster has written it. */
const theirs = () => ({
  _id: ID,
  authorized_ip: IP,
  allowed: true,
  pvt_type: 'authorized_ip',
  pvt_account_id: ACCOUNT_OF[1],
  pvt_created: HOUR_AGO_S,
  pvt_modified: HOUR_AGO_S,
});

/** The network as two clusters have added it that then replicate. */
async function addTwice(): Promise<void> {
  // A revision that was there once does not come back.
  generation += 10;
  await makeConflict(stored, theirs(), `${generation}-1`);
  await makeConflict(stored, theirs(), `${generation}-2`);
  await soonEqual(check, FOUND);
  expect(await hiddenRevisions(stored, ID)).toHaveLength(1);
}

describe('a network that two clusters have added', () => {
  it.each<readonly [string, Fields]>([
    ['by itself', { authorized_ip: IP }],
    ['with all around it', { contains_ip: IP }],
    ['with all others', { authorized_ip: 'all' }],
  ])('is removed %s with what lies hidden behind it, and counts once', async (_name, fields) => {
    await addTwice();
    expect(await call(DEL, fields)).toEqual({ result: 1 });
    expect(await check()).toEqual(NOTHING);
    expect(await service.couch.database(databases.authorizedIps).find(ID)).toBeUndefined();
    await sleep(SEEN_MS);
    expect(await check()).toEqual(NOTHING);
    expect(await call(DEL, fields)).toEqual({ result: 0 });
    expect(await call(ADD, { authorized_ip: IP })).toEqual({ result: 1 });
    expect(await check()).toEqual(FOUND);
  });

  it('is left with one revision by a repair', async () => {
    await addTwice();
    expect(await service.services.refresh.conflicts()).toEqual({ hiddenRevisionsRemoved: 1 });
    expect(await hiddenRevisions(stored, ID)).toEqual([]);
    expect(await check()).toEqual(FOUND);
  });

  it('is there again when it comes by replication after it was removed here', async () => {
    expect(await call(ADD, { authorized_ip: IP })).toEqual({ result: 1 });
    expect(await call(DEL, { authorized_ip: IP })).toEqual({ result: 1 });
    expect(await check()).toEqual(NOTHING);
    // Longer than a change that was told before the removal may take.
    await sleep(SEEN_MS);
    await check();
    await makeConflict(stored, theirs(), '1-9');
    // The index is filled again, which is more than to follow a change.
    await soonEqual(check, FOUND, 2 * SEEN_MS);
  });
});
