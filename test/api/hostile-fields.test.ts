import { accountDatabase, databases } from '../../src/couch/databases.js';
import type { SavedDoc } from '../../src/couch/types.js';
import { CUSTOMER, RESELLER, startTestService, type TestService } from '../support/service.js';

const MARK = 'evil-mark';

/** Members that no client may set, as JSON text: `__proto__` is a name like any other there. */
const PRIVATE = `
  "_id": "${MARK}", "_rev": "1-${MARK}", "_deleted": true, "_attachments": {"${MARK}": {}},
  "_conflicts": ["${MARK}"], "_read_only": {"id": "${MARK}"}, "_${MARK}": "${MARK}",
  "id": "${MARK}",
  "pvt_type": "${MARK}", "pvt_account_id": "${MARK}", "pvt_account_db": "${MARK}",
  "pvt_created": 1, "pvt_modified": 1, "pvt_vsn": "${MARK}", "pvt_request_id": "${MARK}",
  "pvt_deleted": true, "pvt_superduper_admin": true, "pvt_enabled": false, "pvt_reseller": true,
  "pvt_tree": ["${MARK}"], "pvt_api_key": "${MARK}", "pvt_api_key_digest": "${MARK}",
  "pvt_md5_auth": "${MARK}", "pvt_sha1_auth": "${MARK}", "pvt_md5_auth_digest": "${MARK}",
  "pvt_signature_secret": "${MARK}", "pvt_status": "assigned", "pvt_assigned_to": "${CUSTOMER}",
  "pvt_zone": "${MARK}", "pvt_host": "${MARK}", "pvt_": "${MARK}", "pvt_${MARK}": "${MARK}",
  "__proto__": {"${MARK}": "${MARK}"}`;

/** A request body with the private members in its data, in an object inside it, and beside it. */
function evilBody(members: string): string {
  const separator = members === '' ? '' : ',';
  const data = `{${members}${separator}${PRIVATE}}`;
  return `{"data": ${data}, "pvt_${MARK}": "${MARK}", "__proto__": {"${MARK}": true}}`;
}

/** Names of a stored document that its clients can have set. */
function publicNames(doc: SavedDoc): string[] {
  return Object.keys(doc)
    .filter((name) => !name.startsWith('_') && !name.startsWith('pvt_'))
    .sort();
}

function expectUntouched(doc: SavedDoc): void {
  expect(JSON.stringify(doc)).not.toContain(MARK);
  expect(Object.hasOwn(doc, '__proto__')).toBe(false);
  expect(doc['id']).toBeUndefined();
  expect(doc['pvt_deleted']).toBeUndefined();
  expect(doc['pvt_api_key']).toBeUndefined();
  expect(doc['pvt_created']).toBeGreaterThan(62167219200);
  expect(doc['pvt_modified']).toBeGreaterThan(62167219200);
}

describe('private members that a client sends', () => {
  let service: TestService;
  let token: string;

  beforeAll(async () => {
    service = await startTestService();
    token = await service.tokenOf(1);
  });
  afterAll(() => service.stop());

  const stored = (accountId: string, id: string) =>
    service.couch.database(accountDatabase(accountId)).get(id);

  async function send(method: string, path: string, members: string) {
    return service.call(method, path, { token, body: evilBody(members) });
  }

  it.each([
    ['/v2/accounts', 'c0ffee00000000000000000000000001'],
    [`/v2/accounts/${RESELLER}`, RESELLER],
  ])('are not stored in an account that PUT %s creates', async (path, parentId) => {
    const name = `evil below ${parentId}`;
    const answer = await send('PUT', path, `"name": "${name}"`);
    expect(answer.status).toBe(201);
    expect(JSON.stringify(answer.body)).not.toContain(MARK);
    const { id } = answer.body.data;
    expect(id).toMatch(/^[0-9a-f]{32}$/);
    const doc = await stored(id, id);
    expectUntouched(doc);
    expect(publicNames(doc)).toEqual([
      'call_restriction',
      'music_on_hold',
      'name',
      'preflow',
      'realm',
      'ringtones',
      'timezone',
    ]);
    const copy = await service.couch.database(databases.accounts).get(id);
    expect({ ...copy, _rev: '' }).toEqual({ ...doc, _rev: '' });
    expect(doc).toMatchObject({ pvt_type: 'account', pvt_account_id: id, pvt_enabled: true });
    expect(doc['pvt_tree']).toContain(parentId);
    expect(doc['pvt_superduper_admin']).toBeUndefined();
    expect(doc['pvt_reseller']).toBeUndefined();
  });

  it.each(['POST', 'PATCH'])('are not stored in an account that %s changes', async (method) => {
    const before = await stored(CUSTOMER, CUSTOMER);
    const answer = await send(method, `/v2/accounts/${CUSTOMER}`, `"name": "Demo ${method}"`);
    expect(answer.status).toBe(200);
    expect(JSON.stringify(answer.body)).not.toContain(MARK);
    const doc = await stored(CUSTOMER, CUSTOMER);
    expectUntouched(doc);
    expect(doc['name']).toBe(`Demo ${method}`);
    for (const field of ['pvt_tree', 'pvt_superduper_admin', 'pvt_enabled', 'pvt_reseller']) {
      expect([field, doc[field]]).toEqual([field, before[field]]);
    }
    expect(doc['pvt_api_key_digest']).toBe(before['pvt_api_key_digest']);
    expect(doc['pvt_signature_secret']).toBe(before['pvt_signature_secret']);
    expect(doc['pvt_created']).toBe(before['pvt_created']);
  });

  it('are not stored in users, whatever the verb', async () => {
    const users = `/v2/accounts/${CUSTOMER}/users`;
    const names = '"first_name": "Eve", "last_name": "Evil"';
    const created = await send('PUT', users, names);
    expect(created.status).toBe(201);
    const { id } = created.body.data;
    expect(id).toMatch(/^[0-9a-f]{32}$/);
    for (const method of ['POST', 'PATCH']) {
      expectUntouched(await stored(CUSTOMER, id));
      const changed = await send(method, `${users}/${id}`, `${names}, "timezone": "${method}"`);
      expect(changed.status).toBe(200);
      expect(JSON.stringify([created.body, changed.body])).not.toContain(MARK);
    }
    const doc = await stored(CUSTOMER, id);
    expectUntouched(doc);
    expect(doc).toMatchObject({ _id: id, pvt_type: 'user', pvt_account_id: CUSTOMER });
    expect(doc['timezone']).toBe('PATCH');
    for (const secret of ['pvt_md5_auth', 'pvt_sha1_auth', 'pvt_md5_auth_digest']) {
      expect([secret, doc[secret]]).toEqual([secret, undefined]);
    }
  });

  it('are not stored in an address, which holds nothing but private fields of ours', async () => {
    const members = '"ip": "203.0.113.66", "zone": "z", "host": "h", "public": "member"';
    const answer = await send('PUT', '/v2/ips', members);
    expect(answer.status).toBe(201);
    const doc = await service.couch.database(databases.dedicatedIps).get('203.0.113.66');
    expectUntouched(doc);
    expect(doc).toEqual({
      _id: '203.0.113.66',
      _rev: answer.body.data._read_only.rev,
      pvt_type: 'dedicated_ip',
      pvt_vsn: '1',
      pvt_status: 'available',
      pvt_zone: 'z',
      pvt_host: 'h',
      pvt_created: expect.any(Number),
      pvt_modified: expect.any(Number),
      pvt_request_id: answer.body.request_id,
    });
  });

  it.each(['POST', 'DELETE'])('change nothing of what %s does to addresses', async (method) => {
    const path = `/v2/accounts/${CUSTOMER}/ips`;
    for (const [where, members] of [
      ['/1.2.3.5', ''],
      ['', '"ips": ["1.2.3.6"]'],
    ] as const) {
      const answer = await send(method, `${path}${where}`, members);
      expect(answer.status).toBe(200);
      expect(JSON.stringify(answer.body)).not.toContain(MARK);
    }
    const found = await service.couch
      .database(databases.dedicatedIps)
      .findMany(['1.2.3.5', '1.2.3.6']);
    const held = method === 'POST' ? CUSTOMER : undefined;
    for (const doc of found.values()) {
      expectUntouched(doc);
      expect(doc).toMatchObject({ pvt_zone: 'us-east', pvt_type: 'dedicated_ip' });
      expect(doc['pvt_assigned_to']).toBe(held);
    }
    expect(found.size).toBe(2);
  });

  it('do not help to sign in, nor do they come back from a validation', async () => {
    const wrong = await send('PUT', '/v2/api_auth', `"api_key": "${'0'.repeat(64)}"`);
    expect([wrong.status, Object.keys(wrong.body.data)]).toEqual([400, ['id']]);
    expect(wrong.body.data.id.additionalProperties).toBeDefined();
    const credentials = `"credentials": "${'0'.repeat(32)}", "account_name": "Demo Master"`;
    expect((await send('PUT', '/v2/user_auth', credentials)).status).toBe(401);
    const checked = await send('PUT', '/v2/schemas/ips/validation', '"ips": ["1.2.3.4"]');
    expect(checked.status).toBe(200);
    expect(checked.body.data).toEqual({ ips: ['1.2.3.4'], id: MARK });
  });

  it('leave the prototypes of this process alone', async () => {
    await send('PATCH', `/v2/accounts/${CUSTOMER}`, `"constructor": {"prototype": {"x": 1}}`);
    const nested = `"zones": {"__proto__": {"${MARK}": true}, "home": "z"}`;
    const answer = await send('PATCH', `/v2/accounts/${CUSTOMER}`, nested);
    expect(answer.status).toBe(200);
    expect(answer.body.data.zones).toEqual({ home: 'z' });
    expect(Object.hasOwn(answer.body.data.zones, '__proto__')).toBe(false);
    expect(Reflect.get({}, MARK)).toBeUndefined();
    expect(Reflect.get({}, 'x')).toBeUndefined();
  });
});
