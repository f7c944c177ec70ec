import { databases } from '../../src/couch/databases.js';
import { newCustomer } from '../support/json-api.js';
import { type MisbehavingServer, startMisbehavingServer } from '../support/misbehaving-server.js';
import { startTestService, type TestService } from '../support/service.js';
import { storeUrl } from '../support/store.js';

const PASSWORD = 'secret-12';
/** Long enough for a pending claim to be judged. */
const LATER_MS = 120_000;
const TAKEN = { code: 'invalid', issues: [{ path: ['username'], rule: 'unique' }] };

let healthy: TestService;
let later: TestService;
let service: TestService;
let store: MisbehavingServer;
let accountId: string;

beforeAll(async () => {
  healthy = await startTestService();
  accountId = await newCustomer(healthy, 'claims');
  store = await startMisbehavingServer(storeUrl());
  const { dbPrefix, keyring } = healthy;
  const shared = { dbPrefix, keyring, isSecond: true };
  later = await startTestService({ ...shared, now: () => Date.now() + LATER_MS });
  service = await startTestService({ ...shared, couchUrl: store.url, couchTimeoutMs: 1_500 });
});
afterAll(async () => {
  await service?.stop();
  await later?.stop();
  await store?.close();
  await healthy?.stop();
});
beforeEach(() => store.behave());

const create = (at: TestService, username: string) =>
  at.services.sipAccounts.service.create(accountId, { username, password: PASSWORD });
const claimOf = (username: string) =>
  healthy.couch.database(databases.claims).find(`sip_user:${username}@claims.example.com`);
const devices = async (username: string) => {
  const docs = await healthy.couch.database(databases.sipAuth).listDocs({ limit: 500 });
  return docs.filter(({ sip }) => (sip as { username?: string }).username === username);
};

/** What reads of many documents meet, as long as a write is looked for. */
const UNREADABLE = Array.from({ length: 40 }, () => ({ kind: 'answer', status: 500 }) as const);

/** A creation whose claim is written, and whose device is sent and answered by nobody. */
async function failing(username: string, kind: 'lost' | 'reset'): Promise<void> {
  store.fail([{ kind: 'lag', ms: 0 }, { kind }], 'PUT');
  const made = create(service, username);
  // From the moment that the device was sent nobody can read it back.
  const writes = () => store.seen.filter(({ method }) => method === 'PUT').length;
  while (writes() < 2) await new Promise((resolve) => setTimeout(resolve, 1));
  store.fail(UNREADABLE, 'POST');
  await expect(made).rejects.toMatchObject({ code: 'unavailable', reason: 'store_write_unknown' });
  store.behave();
}

describe('a SIP account whose write nobody has answered', () => {
  it('keeps its user name when it is there', async () => {
    await failing('stored', 'lost');
    expect(await devices('stored')).toHaveLength(1);
    await expect(create(healthy, 'stored')).rejects.toMatchObject(TAKEN);
    await expect(create(later, 'stored')).rejects.toMatchObject(TAKEN);
    expect(await devices('stored')).toHaveLength(1);
    const [device] = await devices('stored');
    expect(await claimOf('stored')).toMatchObject({ pvt_owner: device?._id });
  });

  it('keeps it for a minute when it may still come, and no longer', async () => {
    await failing('never', 'reset');
    expect(await devices('never')).toHaveLength(0);
    await expect(create(healthy, 'never')).rejects.toMatchObject(TAKEN);
    const { id } = await create(later, 'never');
    expect(await claimOf('never')).toMatchObject({ pvt_owner: id, pvt_state: 'held' });
  });

  it('gives it up at once when it is known not to be', async () => {
    const refusal = JSON.stringify({ error: 'forbidden', reason: 'no' });
    const headers = { 'content-type': 'application/json' };
    const refused = { kind: 'answer', status: 403, body: refusal, headers } as const;
    store.fail([{ kind: 'lag', ms: 0 }, refused], 'PUT');
    await expect(create(service, 'refused')).rejects.toMatchObject({ code: 'internal' });
    expect(await claimOf('refused')).toBeUndefined();
  });
});
