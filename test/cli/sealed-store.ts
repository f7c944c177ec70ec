import { createSecretBox, generateKeyring, parseKeyring } from '../../src/core/secret-box.js';
import { accountDatabase, databases } from '../../src/couch/databases.js';
import type { DatabaseName, SavedDoc } from '../../src/couch/types.js';
import { CUSTOMER, MASTER, startTestService, type TestService } from '../support/service.js';
import { runSup, sharedStore } from './run-sup.js';

/** A device with a sealed value in each kind of place. */
export const DEVICE = 'A10000009296F2';
/** The database that has a copy of it. */
export const COPIES = accountDatabase(CUSTOMER);
const CLUSTERS = 5;

export const oldRing = generateKeyring();
const newRing = generateKeyring();
export const bothRings = `${newRing},${oldRing}`;
export const [oldKid = ''] = oldRing.split(':');
export const [newKid = ''] = newRing.split(':');
const oldBox = createSecretBox(parseKeyring(oldRing));
export const newBox = createSecretBox(parseKeyring(newRing));
export const bothBox = createSecretBox(parseKeyring(bothRings));

/** A value that was sealed, and what it is. */
export interface Secret {
  readonly database: DatabaseName;
  readonly id: string;
  readonly field: string;
  readonly clear: string;
  read(doc: SavedDoc): unknown;
}

export const clusterId = (n: number) => n.toString(16).padStart(32, 'e');

/** A store in which everything that can be sealed is sealed with the old key. */
export async function openStore(): Promise<{ service: TestService; secrets: Secret[] }> {
  const service = await startTestService({ keyring: oldRing });
  const token = await service.tokenOf(1);
  const { clusters, mvnos } = service.services.support;
  const secrets: Secret[] = [];
  for (let n = 1; n <= CLUSTERS; n += 1) {
    const clear = `key of cluster ${n}`;
    const fields = { mvnoId: '2600hz', apiUrl: 'https://k.example.com', apiKey: clear };
    await clusters.service.create(clusterId(n), { ...fields, hostedBillingAccountId: MASTER });
    secrets.push(topLevel(databases.clusters, clusterId(n), 'pvt_api_key', clear));
  }
  const url = 'https://carrier.example.com';
  const carrier = { driver: 'http', url, timeoutMs: undefined, key: 'key of a carrier' };
  await mvnos.service.setCarrier('2600hz', 'verizon', carrier);
  const field = 'pvt_carrier_key_verizon';
  secrets.push(topLevel(databases.mvnos, '2600hz', field, 'key of a carrier'));
  const seal = (place: string) => oldBox.seal('sip secret', DEVICE, place);
  const device = {
    _id: DEVICE,
    pvt_type: 'device',
    pvt_modified: 1,
    pvt_sip_password: seal('pvt_sip_password'),
    voice: { sip: { password: seal('voice.sip.password') } },
    lines: [{ key: seal('lines 1/2.key') }, 'plain'],
  };
  for (const database of [databases.subscriptions, COPIES]) {
    await service.couch.database(database).put(device);
    const place = { database, id: DEVICE, clear: 'sip secret' };
    secrets.push(topLevel(database, DEVICE, 'pvt_sip_password', 'sip secret'));
    const inVoice = (doc: SavedDoc) => (doc['voice'] as typeof device.voice).sip.password;
    secrets.push({ ...place, field: 'voice.sip.password', read: inVoice });
    const inLines = (doc: SavedDoc) => (doc['lines'] as { key: string }[])[0]?.key;
    secrets.push({ ...place, field: 'lines 1/2.key', read: inLines });
  }
  const headers = { 'idempotency-key': 'once' };
  const body = { data: { ip: '10.9.9.9', zone: 'z', host: 'h' } };
  await service.call('PUT', '/v2/ips', { token, headers, body });
  return { service, secrets };
}

function topLevel(database: DatabaseName, id: string, field: string, clear: string): Secret {
  return { database, id, field, clear, read: (doc) => doc[field] };
}

/** Runs a function of keys_maintenance. */
export const sup = (
  service: TestService,
  args: readonly string[],
  ring = bothRings,
  url?: string,
) =>
  runSup(['keys_maintenance', ...args], {
    env: sharedStore(service.dbPrefix, ring, url === undefined ? {} : { COUCHDB_URL: url }),
  });

/** Every document there is, by database and id. */
export async function readAll(service: TestService): Promise<Map<string, SavedDoc>> {
  const docs = new Map<string, SavedDoc>();
  for (const name of await service.couch.listDatabases('')) {
    for (const doc of await service.couch.database(name).listDocs({ limit: 10_000 })) {
      docs.set(`${name}/${doc._id}`, doc);
    }
  }
  return docs;
}

/** The key each secret is sealed with now; every one must open to what it was. */
export async function kidsNow(service: TestService, secrets: readonly Secret[]): Promise<string[]> {
  const kids = [];
  for (const { database, id, field, clear, read } of secrets) {
    const text = String(read(await service.couch.database(database).get(id)));
    expect(bothBox.open(text, id, field)).toBe(clear);
    kids.push(bothBox.kidOf(text) ?? '');
  }
  return kids;
}

/** How much is sealed with the old key. */
export async function countOld(service: TestService): Promise<number> {
  const { stdout } = await sup(service, ['status', '--json']);
  return JSON.parse(stdout).keys[oldKid].sealed;
}
