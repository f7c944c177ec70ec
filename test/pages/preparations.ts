import type { Answer } from '../support/service.js';
import { CUSTOMER, RESELLER, type TestService } from '../support/service.js';

/** What a sample needs: its placeholders, once what it changes is there or what it makes is not. */
export type Prepare = (world: World) => Promise<Readonly<Record<string, string>>>;

/** The service that the samples are sent to, and how to bring it into a state. */
export interface World {
  readonly service: TestService;
  readonly token: string;
}

/** The clusters of the pages: Kazoo Hosted, which is this one, and Kazoo Sandbox. */
export const HOSTED = '8a901bea1d3297ef7d4c8d34809472c2';
export const SANDBOX = 'aa2b36ac6a5edb290159cd1298283322';
/** The line of the page's samples on subscriptions, and its device. */
const LINE = { mdn: '+14157487153', esn: 'A10000009296F2' };
/** The line of the page's samples on devices. */
const DEVICE = { mdn: '+15550001111', esn: 'AF0123450ABCDE' };
/** A cluster of its own, for what creates and deletes one. */
const NEW_CLUSTER = '0123456789abcdef0123456789abcdef';

function call(world: World, method: string, path: string, data?: unknown): Promise<Answer> {
  const { service, token } = world;
  return service.call(method, `/v2${path}`, {
    token,
    ...(data === undefined ? {} : { body: { data } }),
  });
}

async function expectDone(world: World, method: string, path: string, data?: unknown) {
  const answer = await call(world, method, path, data);
  if (answer.status >= 300) throw new Error(`${method} ${path}: ${JSON.stringify(answer.body)}`);
  return answer.body;
}

/** The subscription of a number, wherever it is. */
async function findLine(world: World, mdn: string) {
  const { data } = await expectDone(world, 'POST', '/support/subscriptions/lookup', { mdn });
  return data.document === undefined
    ? undefined
    : { accountId: data.account_id as string, id: data.document._id as string };
}

async function removeLine(world: World, mdn: string): Promise<void> {
  const line = await findLine(world, mdn);
  if (line === undefined) return;
  const { accountId, id } = line;
  const path = `/support/accounts/${accountId}/subscriptions/${id}?cascade=true`;
  await expectDone(world, 'DELETE', path, {});
}

/** The line as its carrier has it, in the account of the samples. */
async function importLine(world: World, line: { mdn: string }): Promise<string> {
  await removeLine(world, line.mdn);
  const path = `/support/accounts/${CUSTOMER}/subscriptions/import`;
  const device_data = {
    name: "Joe's Mobile Phone",
    voice: { sip: { realm: 'sip.mycompany.com', username: 'my_softphone', password: 'abc' } },
    data: { blocking: { cap: 0 }, throttling: { cap: 0, rate: '256k' } },
  };
  const { data } = await expectDone(world, 'PUT', path, { mdn: line.mdn, device_data });
  return data.id;
}

/** The subscription of the samples, as they find it. */
const withSubscription: Prepare = async (world) => ({
  ACCOUNT_ID: CUSTOMER,
  TARGET_ACCOUNT_ID: RESELLER,
  SUBSCRIPTION_ID: await importLine(world, LINE),
});

const withoutLine =
  (line: { mdn: string; esn: string }): Prepare =>
  async (world) => {
    await removeLine(world, line.mdn);
    const { mdn: MDN, esn: ESN } = line;
    return { ACCOUNT_ID: CUSTOMER, MDN, ESN, SUBSCRIPTION_MDN: MDN, DEVICE_ID: ESN };
  };

const withDevice: Prepare = async (world) => {
  await importLine(world, DEVICE);
  const { mdn: MDN, esn: ESN } = DEVICE;
  return { ACCOUNT_ID: CUSTOMER, MDN, ESN, DEVICE_ID: ESN };
};

const newCluster = {
  TARGET_CLUSTER_ID: NEW_CLUSTER,
  MVNO_ID: '2600hz_sandbox',
  API_URL: 'http://192.0.2.10:8000',
  API_KEY: 'a-key-that-nobody-else-may-read',
  ACCOUNT_ID: RESELLER,
};

async function removeCluster(world: World): Promise<void> {
  await call(world, 'DELETE', `/support/clusters/${NEW_CLUSTER}`);
}

const routingPath = (id: string) => `/support/routing/customer_clusters/${id}`;

/** A customer cluster of the given id, or none. */
const withRoutingCluster =
  (id: string, isThere: boolean): Prepare =>
  async (world) => {
    await call(world, 'DELETE', routingPath(id));
    const zones = (n: number) => ({ east: [`0.0.0.${n}`], central: [`0.0.1.${n}`] });
    const ips = {
      inbound: { ...zones(1), west: ['0.0.2.1'] },
      outbound: { ...zones(2), west: ['0.0.2.2'] },
    };
    const data = { owner: '2600hz', name: 'Test Cluster', ips, randomize_routing: false };
    if (isThere) await expectDone(world, 'PUT', routingPath(id), data);
    return { CLUSTER_ID: id };
  };

const MEDIA = ['EAST', 'CENTRAL', 'WEST'].map((zone) => `${zone}_SBC_ID`);

/** The first SBC and media server of the demo data, and the SBCs of each zone. */
const withRouting: Prepare = async (world) => {
  const [sbcs, media] = await Promise.all([
    expectDone(world, 'GET', '/support/routing/carrier_sbcs'),
    expectDone(world, 'GET', '/support/routing/media_servers'),
  ]);
  const ids: string[] = sbcs.data.map(({ id }: { id: string }) => id);
  return {
    SBC_ID: String(ids[0]),
    MEDIA_SERVER_ID: String(media.data[0].id),
    ...Object.fromEntries(MEDIA.map((name, n) => [name, String(ids[n])])),
  };
};

/** The SBC and the media server that the page updates, patches and deletes: whole ones. */
const withWhole =
  (kind: 'carrier_sbcs' | 'media_servers', data: () => unknown): Prepare =>
  async (world) => {
    const known = await withRouting(world);
    const { data: made } = await expectDone(world, 'PUT', `/support/routing/${kind}`, data());
    return { ...known, [kind === 'carrier_sbcs' ? 'SBC_ID' : 'MEDIA_SERVER_ID']: made.id };
  };

const location = { zone: 'west', state: 'CA', city: 'San Francisco' };
const formatting = (replace: string) => ({ to_number: { pattern: '/^([0-9]+)$/', replace } });
const wholeSbc = () => ({
  name: 'Dummy SBC',
  location,
  ips: ['1.2.3.4'],
  mobile_media_server: '0'.repeat(32),
  call_directions: [
    { direction: 'from_pstn', headers: { 'variable_sip_h_P-Served-User': 'sescase=term' } },
  ],
  number_formatting: {
    from_mobile_device: formatting('$1'),
    from_pstn: formatting('$1'),
    to_mobile_device: formatting('99999$1'),
  },
});
const wholeMedia = () => ({
  name: 'Dummy Media Server',
  location,
  interfaces: {
    carrier_mpls: { sprint: 'sprint_mpls_interface' },
    authenticated_connection: 'authenticated_connection_interface',
    unauthenticated_connection: 'unauthenticated_connection_interface',
  },
  carrier_sbc_priority: { sprint: ['0'.repeat(32)] },
  top_ips: ['10.26.254.254', '10.26.254.253'],
});
const existingSbc = withWhole('carrier_sbcs', wholeSbc);
const existingMedia = withWhole('media_servers', wholeMedia);

/** A port of a number that no line has, on a line of ours. */
const withPort: Prepare = async (world) => {
  const subscription_id = await importLine(world, LINE);
  const mdn = '+14155550123';
  const open = await expectDone(world, 'GET', '/support/ports/in');
  const known = open.data.find((port: { mdn: string }) => port.mdn === mdn);
  if (known !== undefined) return { PORT_ID: known.id };
  const { data } = await expectDone(world, 'PUT', '/support/ports/in', { mdn, subscription_id });
  return { PORT_ID: data.id };
};

/** What each sample needs, by its heading; the samples that are not here need nothing. */
export const preparations: Readonly<Record<string, Prepare>> = {
  'Import an already active device': withoutLine(DEVICE),
  'Lookup a TOP Device by its MDN in any account': withDevice,
  "Get a Phone Number's subscription info from a Carrier": withDevice,
  "Get a Device's subscription info from a Carrier": withDevice,
  "Update a Port In document's status": withPort,
  'Patch a Device document': withDevice,
  'Lookup Carrier Subscription': async (world) => {
    await importLine(world, LINE);
    return { DEVICE_ID: LINE.esn };
  },
  'Import an active Subscription': withoutLine(LINE),
  'Delete a Subscription document': withSubscription,
  'Patch a Subscription document': withSubscription,
  'Move a Subscription to a different account and/or cluster': withSubscription,
  'Create a Cluster document': async (world) => {
    await removeCluster(world);
    return newCluster;
  },
  'Delete a Cluster document': async (world) => {
    await removeCluster(world);
    const { MVNO_ID, API_URL, API_KEY, ACCOUNT_ID } = newCluster;
    await expectDone(world, 'PUT', `/support/clusters/${NEW_CLUSTER}`, {
      mvno_id: MVNO_ID,
      api_url: API_URL,
      api_key: API_KEY,
      hosted_billing_account_id: ACCOUNT_ID,
    });
    return newCluster;
  },
  'Get a Routing Cluster': withRoutingCluster(SANDBOX, true),
  'Create a Routing Cluster': withRoutingCluster(SANDBOX, false),
  'Update a Routing Cluster': withRoutingCluster(SANDBOX, true),
  'Patch a Routing Cluster': withRoutingCluster(SANDBOX, true),
  'Delete a Routing Cluster': withRoutingCluster(SANDBOX, true),
  'Get a Routing Carrier SBC': existingSbc,
  'Create a Routing Carrier SBC': withRouting,
  'Update a Routing Carrier SBC': existingSbc,
  'Patch a Routing Carrier SBC': existingSbc,
  'Delete a Routing Carrier SBC': existingSbc,
  'Get a Routing Media Server': existingMedia,
  'Create a Routing Media Server': withRouting,
  'Update a Routing Media Server': existingMedia,
  'Patch a Routing Media Server': existingMedia,
  'Delete a Routing Media Server': existingMedia,
  'Get the Routing Cluster document for your own Cluster': withRoutingCluster(SANDBOX, true),
  'Create the Routing Cluster document for your own Cluster': withRoutingCluster(SANDBOX, false),
  'Update the Routing Cluster document for your own Cluster': withRoutingCluster(SANDBOX, true),
  'Patch the Routing Cluster document for your own Cluster': withRoutingCluster(SANDBOX, true),
  'Delete the Routing Cluster document for your own Cluster': withRoutingCluster(SANDBOX, true),
};
