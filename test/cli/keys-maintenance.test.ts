import { parseKeyring } from '../../src/core/secret-box.js';
import { databases } from '../../src/couch/databases.js';
import { withLease } from '../../src/couch/leases.js';
import type { SavedDoc } from '../../src/couch/types.js';
import { CUSTOMER, startTestService, type TestService } from '../support/service.js';
import {
  bothBox,
  bothRings,
  COPIES,
  clusterId,
  countOld,
  DEVICE,
  kidsNow,
  newBox,
  newKid,
  oldKid,
  oldRing,
  openStore,
  readAll,
  type Secret,
  sup,
} from './sealed-store.js';

describe('sup keys_maintenance', () => {
  let service: TestService;
  let secrets: Secret[];

  beforeAll(async () => {
    ({ service, secrets } = await openStore());
  });
  afterAll(() => service.stop());

  it('says what needs which key', async () => {
    const { code, stdout } = await sup(service, ['status', '--json']);
    const told = JSON.parse(stdout);
    expect(code).toBe(0);
    // The demo data has more, tokens have a signing key, and the answer is kept.
    const { sealed } = told.keys[oldKid];
    expect(sealed).toBeGreaterThanOrEqual(secrets.length + 2 + 1 + 1);
    expect(told).toMatchObject({ first: newKid, resealed: 0, strange: 0, is_whole: true });
    expect(told.keys[newKid]).toEqual({ in_keyring: true, sealed: 0, digests: 0 });
    expect(told.keys[oldKid]['in_keyring']).toBe(true);
    expect(told.keys[oldKid].digests).toBeGreaterThan(5);
    const table = await sup(service, ['status']);
    const [head = '', ...rows] = table.stdout.split('\n');
    expect(head).toMatch(/^Key +In keyring +Sealed values +Digests +Is$/);
    expect(rows[0]).toMatch(new RegExp(`^${newKid} +yes +0 +0 +first: it seals$`));
    expect(rows[1]).toMatch(new RegExp(`^${oldKid} +yes +${sealed} +\\d+ +needed$`));
    expect(new Set(await kidsNow(service, secrets))).toEqual(new Set([oldKid]));
  });

  it('seals everything anew, changes nothing else, and keeps copies equal', async () => {
    const before = await readAll(service);
    const values = await countOld(service);
    const { code, stdout, stderr } = await sup(service, ['rotate']);
    expect([code, stderr]).toEqual([0, expect.stringContaining('digests of API keys')]);
    expect(stdout).toMatch(
      new RegExp(`^sealed ${values} values anew in \\d+ of \\d+ documents with ${newKid}\n`),
    );
    expect(new Set(await kidsNow(service, secrets))).toEqual(new Set([newKid]));
    const after = await readAll(service);
    const stripped = (doc: SavedDoc | undefined) =>
      JSON.parse(
        JSON.stringify({ ...doc, _rev: '' }, (_key, value) =>
          typeof value === 'string' && bothBox.kidOf(value) !== undefined ? 'sealed' : value,
        ),
      );
    for (const [name, doc] of before) {
      if (name.includes('/lease:')) continue;
      expect(stripped(after.get(name))).toEqual(stripped(doc));
    }
    const truth = await service.couch.database(databases.subscriptions).get(DEVICE);
    const copy = await service.couch.database(COPIES).get(DEVICE);
    expect({ ...copy, _rev: '' }).toEqual({ ...truth, _rev: '' });
  });

  it('leaves nothing that needs the old key but digests', async () => {
    const { dbPrefix } = service;
    const later = await startTestService({ dbPrefix, keyring: bothRings, isSecond: true });
    const token = await later.tokenOf(1);
    const headers = { 'idempotency-key': 'once' };
    const body = { data: { ip: '10.9.9.9', zone: 'z', host: 'h' } };
    const again = await later.call('PUT', '/v2/ips', { token, headers, body });
    expect([again.status, again.headers['idempotent-replay']]).toEqual([201, 'true']);
    await later.stop();
    for (const { database, id, field, clear, read } of secrets) {
      const text = String(read(await service.couch.database(database).get(id)));
      expect(newBox.open(text, id, field)).toBe(clear);
    }
    const told = JSON.parse((await sup(service, ['status', '--json'])).stdout);
    expect(told.keys[oldKid].sealed).toBe(0);
    expect(told.keys[oldKid].digests).toBeGreaterThan(5);
  });

  it('finds nothing to do the second time', async () => {
    const before = await readAll(service);
    const { code, stdout } = await sup(service, ['rotate', '--json']);
    expect([code, JSON.parse(stdout)]).toEqual([
      0,
      expect.objectContaining({ resealed: 0, rewritten: 0, left: [], strange: 0 }),
    ]);
    const after = await readAll(service);
    for (const [name, doc] of before) {
      if (!name.includes('/lease:')) expect(after.get(name)).toEqual(doc);
    }
  });

  it('is not kept from its end by what a client writes that looks sealed', async () => {
    const before = JSON.parse((await sup(service, ['status', '--json'])).stdout);
    const forged = `v1.${oldKid}.${'A'.repeat(60)}`;
    const body = { data: { name: forged, note_digest: forged, notes: [forged] } };
    const options = { token: await service.tokenOf(3), body };
    const { status } = await service.call('PATCH', `/v2/accounts/${CUSTOMER}`, options);
    expect(status).toBe(200);
    const after = await sup(service, ['status', '--json']);
    expect([after.code, after.stderr]).toEqual([0, expect.not.stringContaining('does not open')]);
    expect(JSON.parse(after.stdout)).toMatchObject({ strange: 0, keys: before.keys });
  });

  it('names a value that does not open, leaves it alone, and ends with 2', async () => {
    const db = service.couch.database(databases.clusters);
    const [one, other] = [clusterId(1), clusterId(2)];
    const moved = (await db.get(one))['pvt_api_key'];
    const doc = await db.put({ ...(await db.get(other)), pvt_api_key: moved });
    for (const command of ['rotate', 'status']) {
      const { code, stderr, stdout } = await sup(service, [command]);
      expect([code, stderr]).toEqual([
        2,
        expect.stringContaining(`does not open: kazoo_clusters-top/${other} pvt_api_key`),
      ]);
      expect(stdout + stderr).not.toContain(String(moved));
    }
    expect(await db.get(other)).toEqual(doc);
  });

  it('prints a new key that a keyring can begin with', async () => {
    const { code, stdout } = await sup(service, ['new_key']);
    expect(code).toBe(0);
    expect(parseKeyring(`${stdout.trim()},${oldRing}`).kids).toHaveLength(2);
  });

  it('is not run twice at once', async () => {
    const ending = new AbortController();
    const lease = withLease(
      service.couch,
      'keys-rotation',
      { ttlMs: 60_000, holder: 'a test' },
      () => new Promise((done) => ending.signal.addEventListener('abort', done)),
    );
    const { code, stderr } = await sup(service, ['rotate']);
    ending.abort();
    await lease;
    expect([code, stderr]).toEqual([2, 'sup: another run is rotating the keys\n']);
  }, 60_000);
});
