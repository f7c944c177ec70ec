import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { accountDatabase, databases } from '../../src/couch/databases.js';
import { sharedStore } from '../cli/run-sup.js';
import { callAs, DEMO_LOGIN, LIST, MEDIA_TYPE, newCustomer, patchOf } from '../support/json-api.js';
import { startTestService, type TestService } from '../support/service.js';
import { storeUrl } from '../support/store.js';
import { type Moment, startWriteCountingProxy } from '../support/write-counting-proxy.js';
import { killsOf } from './kill-at-write.js';
import { KILLS_MS, type KillingGround, openKillingGround } from './killing-ground.js';

const ENTRY = resolve('dist/cli/sup.js');
const PASSWORD = 'secret-12';
const LATER_MS = 120_000;
/** The write of a truth. */
const COMMIT = /PUT sip_auth doc/;
const RIGHT = {
  realmsChanged: 0,
  claimsMade: 0,
  claimsReleased: 0,
  copiesWritten: 0,
  copiesRemoved: 0,
  failures: [],
};

const uuidOf = (id: string) => id.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');

/** The truth of a SIP account and the copy in its account's database, without revisions. */
async function pairOf(service: TestService, accountId: string, id: string) {
  const { couch } = service;
  const docs = await Promise.all([
    couch.database(databases.sipAuth).find(id),
    couch.database(accountDatabase(accountId)).find(id),
  ]);
  return docs.map((doc) => {
    if (doc === undefined) return undefined;
    const { _rev, pvt_source_db: _source, ...rest } = doc;
    return rest;
  });
}

describe('a service that is killed while it changes a SIP account', () => {
  let ground: KillingGround;
  beforeEach(async () => {
    ground = await openKillingGround();
  });
  afterEach(() => ground.close());

  it(
    'has changed it wholly, truth and copy, or not at all',
    async () => {
      const { service } = ground;
      const accountId = await newCustomer(service, 'killed');
      const { service: sipAccounts } = service.services.sipAccounts;
      await ground.killEverywhere(async () => {
        const username = `phone-${ground.next()}`;
        const { id } = await sipAccounts.create(accountId, { username, password: PASSWORD });
        const attributes = { allowed_ips: '10.0.0.1', use_allowed_ips: 'true' };
        const path = `${LIST}/${uuidOf(id)}`;
        const shown = async () => (await callAs(ground.later)('GET', path)).body.data.attributes;
        return {
          method: 'PATCH',
          path,
          headers: { authorization: DEMO_LOGIN, 'content-type': MEDIA_TYPE },
          ...patchOf(uuidOf(id), attributes),
          status: 200,
          isDone: async () => (await shown()).use_allowed_ips === true,
          async check(isDone) {
            const expected = isDone
              ? { allowed_ips: '10.0.0.1/32', use_allowed_ips: true }
              : { allowed_ips: null, use_allowed_ips: false };
            expect(await shown()).toMatchObject({ ...expected, username, password: PASSWORD });
            const [truth, copy] = await pairOf(service, accountId, id);
            expect(copy).toEqual(truth);
          },
        };
      }, COMMIT);
    },
    KILLS_MS,
  );
});

describe('a command that is killed while it makes or deletes a SIP account', () => {
  let service: TestService;
  let later: TestService;
  let accountId: string;

  beforeEach(async () => {
    service = await startTestService();
    const { dbPrefix, keyring } = service;
    const now = () => Date.now() + LATER_MS;
    later = await startTestService({ dbPrefix, keyring, isSecond: true, now });
    accountId = await newCustomer(service, 'sup-killed', { limit: 100 });
  });
  afterEach(async () => {
    await later.stop();
    await service.stop();
  });

  /** Runs sup through a proxy that kills it at a write; the writes that the store has done. */
  async function run(args: readonly string[], kill?: { write: number; moment: Moment }) {
    const proxy = await startWriteCountingProxy(storeUrl());
    const env = sharedStore(service.dbPrefix, service.keyring, { COUCHDB_URL: proxy.url });
    const child = spawn(process.execPath, [ENTRY, 'sip_accounts_maintenance', ...args], {
      env: { PATH: process.env['PATH'], ...env },
      stdio: 'ignore',
    });
    proxy.watch(async (write, moment) => {
      if (write.n !== kill?.write || moment !== kill.moment) return 'go on';
      child.kill('SIGKILL');
      return 'drop';
    });
    await once(child, 'exit');
    const landed = [...proxy.landed];
    await proxy.close();
    return landed;
  }

  const idsOf = async () => {
    const ids: string[] = [];
    const { listing } = service.services.sipAccounts;
    for await (const some of listing.each(accountId)) ids.push(...some.map(({ id }) => id));
    return ids;
  };

  /** After a repair nothing is left to repair, and every truth has its copy and its claim. */
  async function expectWhole(ids: readonly string[]): Promise<void> {
    await later.services.refresh.sipAccounts();
    expect(await later.services.refresh.sipAccounts()).toEqual(RIGHT);
    expect((await idsOf()).sort()).toEqual([...ids].sort());
    for (const id of ids) {
      const [truth, copy] = await pairOf(service, accountId, id);
      expect(copy).toEqual(truth);
    }
  }

  it(
    'has made it, or its user name is free again',
    async () => {
      const writes = await run(['create', accountId, 'phone-0']);
      expect(writes.filter((label) => COMMIT.test(label))).toHaveLength(1);
      let n = 0;
      const made = new Map<string, boolean>();
      for (const kill of killsOf(writes.length)) {
        const username = `phone-${++n}`;
        const landed = await run(['create', accountId, username], kill);
        made.set(
          username,
          landed.some((label) => COMMIT.test(label)),
        );
      }
      const before = await idsOf();
      expect(before).toHaveLength(1 + [...made.values()].filter(Boolean).length);
      await expectWhole(before);
      for (const [username, isMade] of made) {
        const again = later.services.sipAccounts.service.create(accountId, {
          username,
          password: PASSWORD,
        });
        if (isMade) await expect(again).rejects.toMatchObject({ code: 'invalid' });
        else await again;
      }
    },
    KILLS_MS,
  );

  it(
    'has deleted it with its copy and its claim, or it is whole',
    async () => {
      const { service: sipAccounts } = service.services.sipAccounts;
      let n = 0;
      const create = () =>
        sipAccounts.create(accountId, { username: `phone-${++n}`, password: PASSWORD });
      const writes = await run(['delete', (await create()).id]);
      const left: string[] = [];
      for (const kill of killsOf(writes.length)) {
        const { id } = await create();
        const landed = await run(['delete', id], kill);
        if (!landed.some((label) => COMMIT.test(label))) left.push(id);
      }
      expect(left.length).toBeGreaterThan(0);
      await expectWhole(left);
    },
    KILLS_MS,
  );
});
