import { accountDatabase, databases } from '../../src/couch/databases.js';
import { callCouch } from '../support/couch-call.js';
import { createIpMaker, HOST } from '../support/ip-pool.js';
import { CUSTOMER, RESELLER, startTestService, type TestService } from '../support/service.js';

/** 2026-11-22T12:00:00Z, and the same in Gregorian seconds. */
const NOON_MS = Date.UTC(2026, 10, 22, 12);
const NOON = NOON_MS / 1000 + 62167219200;

describe('documents of IPs in the store', () => {
  let service: TestService;
  let token: string;
  let nowMs = NOON_MS;
  let makeIp: (zone?: string) => Promise<string>;
  const ips = `/v2/accounts/${CUSTOMER}/ips`;

  beforeAll(async () => {
    service = await startTestService({ now: () => nowMs });
    token = await service.tokenOf(1);
    makeIp = createIpMaker(service, token);
  });
  beforeEach(() => {
    nowMs = NOON_MS;
  });
  afterAll(() => service.stop());

  const truth = (ip: string) => service.couch.database(databases.dedicatedIps).get(ip);
  const copy = (accountId: string, ip: string) =>
    service.couch.database(accountDatabase(accountId)).find(ip);

  function storedAs(ip: string, requestId: string, more: object): object {
    return {
      _id: ip,
      _rev: expect.any(String),
      pvt_type: 'dedicated_ip',
      pvt_vsn: '1',
      pvt_zone: 'test-zone',
      pvt_host: HOST,
      pvt_created: NOON,
      pvt_modified: NOON,
      pvt_request_id: requestId,
      ...more,
    };
  }

  it("hold exactly Kazoo's fields and the request's id, whatever was done", async () => {
    const headers = { 'x-request-id': 'request-of-the-create' };
    const body = { data: { ip: '203.0.113.50', zone: 'test-zone', host: HOST } };
    const created = await service.call('PUT', '/v2/ips', { token, body, headers });
    const ip = '203.0.113.50';
    const free = { pvt_status: 'available' };
    expect(await truth(ip)).toEqual(storedAs(ip, 'request-of-the-create', free));
    expect(created.body.data._read_only).toMatchObject({ created: NOON, modified: NOON });

    nowMs += 60_000;
    const assigned = await service.call('POST', `${ips}/${ip}`, { token });
    const held = {
      pvt_status: 'assigned',
      pvt_assigned_to: CUSTOMER,
      pvt_modified: NOON + 60,
    };
    expect(await truth(ip)).toEqual(storedAs(ip, assigned.body.request_id, held));

    nowMs += 60_000;
    const released = await service.call('DELETE', `${ips}/${ip}`, { token });
    const again = { pvt_status: 'available', pvt_modified: NOON + 120 };
    expect(await truth(ip)).toEqual(storedAs(ip, released.body.request_id, again));
  });

  it('have a copy equal to the truth with their holder, and only there', async () => {
    const ip = await makeIp();
    expect(await copy(CUSTOMER, ip)).toBeUndefined();
    await service.call('POST', ips, { token, body: { data: { ips: [ip] } } });
    const [there, own] = [await truth(ip), await copy(CUSTOMER, ip)];
    expect({ ...own, _rev: '' }).toEqual({ ...there, _rev: '' });
    expect(own?._rev).toMatch(/^1-/);
    expect(await copy(RESELLER, ip)).toBeUndefined();

    await service.call('DELETE', ips, { token, body: { data: { ips: [ip] } } });
    expect(await copy(CUSTOMER, ip)).toBeUndefined();
    await service.call('POST', `/v2/accounts/${RESELLER}/ips/${ip}`, { token });
    const theirs = await copy(RESELLER, ip);
    expect({ ...theirs, _rev: '' }).toEqual({ ...(await truth(ip)), _rev: '' });
    expect(await copy(CUSTOMER, ip)).toBeUndefined();
  });

  it('keep fields that somebody else has put there, in truth and copy', async () => {
    const ip = await makeIp();
    const doc = await truth(ip);
    const pool = service.couch.database(databases.dedicatedIps);
    await pool.put({ ...doc, pvt_note: 'of another program', label: 'public' });
    await service.call('POST', `${ips}/${ip}`, { token });
    expect(await truth(ip)).toMatchObject({ pvt_note: 'of another program', label: 'public' });
    expect(await copy(CUSTOMER, ip)).toMatchObject({ pvt_note: 'of another program' });
    const shown = await service.call('GET', `${ips}/${ip}`, { token });
    expect(Object.keys(shown.body.data).sort()).toEqual([
      'assigned_to',
      'host',
      'id',
      'ip',
      'status',
      'type',
      'zone',
    ]);
  });

  it('that are soft-deleted or of another type are no addresses', async () => {
    const pool = service.couch.database(databases.dedicatedIps);
    const ip = await makeIp();
    await pool.put({ ...(await truth(ip)), pvt_deleted: true });
    await pool.put({ _id: '203.0.113.200', pvt_type: 'note', pvt_status: 'available' });
    for (const address of [ip, '203.0.113.200']) {
      expect((await service.call('GET', `/v2/ips/${address}`, { token })).status).toBe(404);
      const assigned = await service.call('POST', `${ips}/${address}`, { token });
      expect(assigned.body.data['ips%2E0'].not_found.value).toBe(address);
    }
  });

  it('leave a tombstone with their type, so that filtered replications see them go', async () => {
    const ip = await makeIp();
    await service.call('POST', `${ips}/${ip}`, { token });
    await service.call('DELETE', `/v2/ips/${ip}`, { token });
    for (const name of [databases.dedicatedIps, accountDatabase(CUSTOMER)]) {
      const path = `/${encodeURIComponent(`${service.dbPrefix}${name}`)}`;
      const changes = await callCouch('GET', `${path}/_changes?include_docs=true`);
      const last = changes.json.results.find((row: { id: string }) => row.id === ip);
      expect([last.deleted, last.doc.pvt_type]).toEqual([true, 'dedicated_ip']);
    }
  });
});

describe("Kazoo's five views of dedicated IPs", () => {
  let service: TestService;

  beforeAll(async () => {
    service = await startTestService();
    const token = await service.tokenOf(1);
    const held = { data: { ips: ['1.2.3.5', '9.10.11.12'] } };
    await service.call('POST', `/v2/accounts/${CUSTOMER}/ips`, { token, body: held });
    await service.call('DELETE', '/v2/ips/5.6.7.9', { token });
    const pool = service.couch.database(databases.dedicatedIps);
    const soft = await pool.get('1.2.3.6');
    await pool.put({ ...soft, pvt_deleted: true });
    await pool.put({ _id: '203.0.113.200', pvt_type: 'note', pvt_status: 'available' });
  });
  afterAll(() => service.stop());

  type Row = { readonly id?: string; readonly key: string; readonly value: unknown };

  async function query(view: string, parameters = ''): Promise<Row[]> {
    const database = encodeURIComponent(`${service.dbPrefix}dedicated_ips`);
    const path = `/${database}/_design/dedicated_ips/_view/${view}${parameters}`;
    const answer = await callCouch('GET', path);
    expect(answer.status).toBe(200);
    return answer.json.rows;
  }

  /** Rows without an order: how equal keys follow each other is the store's affair. */
  function unordered(rows: readonly Row[]): Row[] {
    return [...rows].sort((a, b) => (String(a.id) < String(b.id) ? -1 : 1));
  }

  const zoneOf = {
    '1.2.3.4': 'us-east',
    '1.2.3.5': 'us-east',
    '2001:db8::10': 'eu-central',
    '5.6.7.8': 'us-west',
    '9.10.11.12': 'eu-central',
  } as const;
  type Ip = keyof typeof zoneOf;
  const all = Object.keys(zoneOf) as Ip[];
  const isHeld = (ip: Ip) => ip === '1.2.3.5' || ip === '9.10.11.12';
  const hostOf = (ip: Ip) => `proxy1.${zoneOf[ip]}.myswitch.com`;

  it('assigned_to_listing: by account, the address and its zone', async () => {
    const rows = all.filter(isHeld).map((ip) => ({
      id: ip,
      key: CUSTOMER,
      value: { ip, zone: zoneOf[ip] },
    }));
    expect(unordered(await query('assigned_to_listing'))).toEqual(rows);
    expect(await query('assigned_to_listing', `?key="${RESELLER}"`)).toEqual([]);
  });

  it('available_listing: by zone, the address and its zone', async () => {
    const rows = all
      .filter((ip) => !isHeld(ip))
      .map((ip) => ({ id: ip, key: zoneOf[ip], value: { ip, zone: zoneOf[ip] } }));
    const found = await query('available_listing');
    expect(unordered(found)).toEqual(rows);
    expect(found.map(({ key }) => key)).toEqual(['eu-central', 'us-east', 'us-west']);
  });

  it('summary_listing: by host, everything, with an empty holder for a free address', async () => {
    const rows = all.map((ip) => ({
      id: ip,
      key: hostOf(ip),
      value: {
        ip,
        zone: zoneOf[ip],
        host: hostOf(ip),
        status: isHeld(ip) ? 'assigned' : 'available',
        assigned_to: isHeld(ip) ? CUSTOMER : '',
      },
    }));
    expect(unordered(await query('summary_listing'))).toEqual(rows);
  });

  it.each([
    ['host_listing', hostOf],
    ['zone_listing', (ip: Ip) => zoneOf[ip]],
  ])('%s: each name once when grouped, null for each address when not', async (view, nameOf) => {
    const rows = all.map((ip) => ({ id: ip, key: nameOf(ip), value: null }));
    expect(unordered(await query(view, '?reduce=false'))).toEqual(rows);
    const names = [...new Set(all.map(nameOf))].sort();
    expect(await query(view, '?group=true')).toEqual(names.map((key) => ({ key, value: true })));
    expect(await query(view)).toEqual([{ key: null, value: true }]);
  });
});
