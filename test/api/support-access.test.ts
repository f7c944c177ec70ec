import { failure, forbidden, noSuch, unauthenticated } from '../support/envelope.js';
import { SANDBOX } from '../support/routing.js';
import { CUSTOMER } from '../support/service.js';
import {
  linePath,
  openSupportRig,
  type SupportRig,
  type TestLine,
} from '../support/support-rig.js';

let rig: SupportRig;
let line: TestLine & { readonly id: string };
let tokens: Record<'reseller' | 'customer', string>;

beforeAll(async () => {
  rig = await openSupportRig();
  line = await rig.importLine();
  tokens = { reseller: await rig.service.tokenOf(2), customer: await rig.service.tokenOf(3) };
}, 30_000);
beforeEach(() => rig.takeJournal());
afterAll(() => rig?.stop());

type Call = readonly [method: string, path: string, body?: object];

/** Every operation on subscriptions and devices that has an account in its path. */
function inAccount(accountId: string): readonly Call[] {
  const lines = `/accounts/${accountId}/subscriptions`;
  const devices = `/accounts/${accountId}/devices`;
  const { id, esn, mdn } = line;
  return [
    ['PUT', `${lines}/import`, { data: { mdn } }],
    ['GET', lines],
    ['GET', `${lines}/${id}`],
    ['PATCH', `${lines}/${id}`, { data: { plan: 'x' } }],
    ['POST', `${lines}/${id}/move`, { target_account_id: CUSTOMER }],
    ['DELETE', `${lines}/${id}`],
    ['PUT', `${devices}/import`, { data: { mdn } }],
    ['GET', devices],
    ['GET', `${devices}/${esn}`],
    ['PATCH', `${devices}/${esn}`, { data: { name: 'x' } }],
  ];
}

function everyCall(): readonly Call[] {
  return [
    ...inAccount(CUSTOMER),
    ['POST', '/subscriptions/lookup', { data: { mdn: line.mdn } }],
    ['GET', `/phone_numbers/${line.mdn}/device`],
    ['GET', `/phone_numbers/${line.mdn}/subscription`],
    ['GET', `/devices/${line.esn}/subscription`],
  ];
}

/** Sends the calls; nothing may be written, and the carrier not be asked. */
async function expectAll(
  calls: readonly Call[],
  options: { token?: string; headers?: Record<string, string> },
  expected: readonly [status: number, body: unknown],
) {
  const before = await rig.revisions();
  for (const [method, path, body] of calls) {
    const answer = await rig.ask(method, path, body, options);
    expect([method, path, answer.status, answer.body]).toEqual([method, path, ...expected]);
  }
  expect([await rig.takeJournal(), await rig.revisions()]).toEqual([[], before]);
}

it('wants a token for everything', async () => {
  await expectAll(everyCall(), { token: '' }, [401, unauthenticated()]);
});

it('lets nobody in but the master account of the Master Cluster', async () => {
  for (const token of Object.values(tokens)) {
    await expectAll(everyCall(), { token }, [403, forbidden()]);
  }
});

it('knows no cluster but those that it has', async () => {
  const headers = { 'x-kazoo-cluster-id': 'd'.repeat(32) };
  await expectAll(everyCall(), { headers }, [401, unauthenticated('token')]);
});

it('wants an account of its own cluster to exist', async () => {
  const id = 'e'.repeat(32);
  await expectAll(inAccount(id), {}, [404, noSuch(id)]);
});

it('wants an id of 32 hex digits, of whatever cluster', async () => {
  const id = 'E'.repeat(32);
  const data = { message: `invalid account_id '${id}'` };
  const headers = { 'x-kazoo-cluster-id': SANDBOX };
  await expectAll(inAccount(id), { headers }, [404, failure(404, 'bad identifier', data)]);
});

it('imports into any account of another cluster, by its MVNO, and keeps no copy here', async () => {
  const { mdn, esn } = await rig.makeLine();
  const headers = { 'x-kazoo-cluster-id': SANDBOX };
  const accountId = 'e'.repeat(32);
  const path = `/accounts/${accountId}/subscriptions/import`;
  const made = await rig.ask('PUT', path, { data: { mdn } }, { headers });
  expect([made.status, made.body.carrier]).toEqual([201, 'sprint']);
  const { id } = made.body.data;
  expect(await rig.findStored(id)).toMatchObject({
    pvt_cluster_id: SANDBOX,
    pvt_mvno: '2600hz_sandbox',
    pvt_account_id: accountId,
  });
  const databases = await rig.service.couch.listDatabases('account/ee');
  expect(databases).toEqual([]);
  const found = await rig.ask('GET', `/phone_numbers/${mdn}/device`);
  expect([found.body.data.id, found.body.account_id]).toEqual([esn, accountId]);
  const gone = await rig.ask('DELETE', linePath(id, accountId), undefined, { headers });
  expect(gone.status).toBe(200);
});

it('takes the cluster from the query as well', async () => {
  const path = `/accounts/${'a'.repeat(32)}/subscriptions?kazoo_cluster_id=${SANDBOX}`;
  const answer = await rig.ask('GET', path);
  expect([answer.status, answer.body.data]).toEqual([200, []]);
});

it('refuses methods that a path does not have', async () => {
  const calls: readonly Call[] = [
    ['GET', `/accounts/${CUSTOMER}/subscriptions/import`],
    ['POST', `/accounts/${CUSTOMER}/devices/${line.esn}`, { data: {} }],
    ['PUT', linePath(line.id), { data: {} }],
    ['GET', '/subscriptions/lookup'],
  ];
  for (const [method, path, body] of calls) {
    const answer = await rig.ask(method, path, body);
    expect([method, path, answer.status]).toEqual([method, path, 405]);
  }
});
