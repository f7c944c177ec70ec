import { databases } from '../../src/couch/databases.js';
import { forbidden, invalid, noSuch, success } from '../support/envelope.js';
import { ABSENT, type Caller, callerOf, HOSTED, SANDBOX, SBCS } from '../support/routing.js';
import { startTestService, type TestService } from '../support/service.js';

const RESOLVE = '/support/routing/resolve';
const REPORT = '/support/routing/report';
const CLUSTERS = '/support/routing/customer_clusters';
const SBC_BASE = '/support/routing/carrier_sbcs';
const SERVERS = '/support/routing/media_servers';

let service: TestService;
let call: Caller;

beforeAll(async () => {
  service = await startTestService();
  call = callerOf(service, await service.tokenOf(1));
});
afterAll(() => service.stop());

const ask = (query: string) => call('GET', `${RESOLVE}?${query}`);

async function add(base: string, data: object): Promise<string> {
  return (await call('PUT', base, data)).body.data.id;
}
const remove = (base: string, id: string) => call('DELETE', `${base}/${id}`);

const zoned = (zone: string, name: string) => ({ name, location: { zone } });
describe('what an SBC makes of a number', () => {
  const number = (direction: string, to: string, id = SBCS.east) =>
    ask(`sbc_id=${id}&direction=${direction}&to_number=${to}`);

  it('is the template, and which rule it was', async () => {
    const answer = await number('from_mobile_device', '46714155550000');
    expect(answer.body).toEqual(
      success({
        sbc_id: SBCS.east,
        name: 'Sprint East SBC',
        direction: 'from_mobile_device',
        to_number: '46714155550000',
        formatted_number: '14155550000',
        matched: true,
        pattern: '/^(?:467)?([0-9]+)$/',
        replace: '$1',
      }),
    );
  });

  it.each(['+14155550000', '%2B14155550000', '14155550000'])(
    'is found for %s, whose plus the pattern does not see',
    async (to) => {
      const { to_number, formatted_number } = (await number('to_mobile_device', to)).body.data;
      expect(formatted_number).toBe('9999914155550000');
      expect(to_number).toBe(to.replace('%2B', '+'));
    },
  );

  it('is the number itself without a match, and without a rule', async () => {
    const formatting = { from_pstn: { to_number: { pattern: '/^467([0-9]+)$/', replace: '$1' } } };
    const fields = { ...zoned('east', 'S'), ips: [], number_formatting: formatting };
    const id = await add(SBC_BASE, fields);
    const same = { sbc_id: id, name: 'S', to_number: '+1415', formatted_number: '+1415' };
    expect((await number('from_pstn', '+1415', id)).body.data).toEqual({
      ...same,
      direction: 'from_pstn',
      matched: false,
      ...formatting.from_pstn.to_number,
    });
    expect((await number('to_mobile_device', '+1415', id)).body.data).toEqual({
      ...same,
      direction: 'to_mobile_device',
      matched: false,
    });
    await remove(SBC_BASE, id);
  });

  it('is the number itself where another system wrote a pattern that nobody can run', async () => {
    const database = service.couch.database(databases.routing);
    const to_number = { pattern: '/^(1+$', replace: '$1' };
    await database.put({
      _id: ABSENT,
      pvt_type: 'carrier_sbc',
      ...zoned('east', 'Foreign'),
      number_formatting: { from_pstn: { to_number } },
    });
    expect((await number('from_pstn', '111', ABSENT)).body.data).toEqual({
      sbc_id: ABSENT,
      name: 'Foreign',
      direction: 'from_pstn',
      to_number: '111',
      formatted_number: '111',
      matched: false,
      ...to_number,
      fault: 'the closing slash is missing: /…/flags',
    });
    await database.remove(await database.get(ABSENT));
    expect((await number('from_pstn', '111', ABSENT)).body).toEqual(noSuch(ABSENT));
  });
});

describe('a question that is none', () => {
  const FORMS =
    'ask by one of: source_ip; cluster_id and zone; media_server_id and carrier; ' +
    'sbc_id and direction and to_number';
  const needs = (name: string) => ({ required: { message: `goes together with ${name}` } });
  const notWith = (form: string) => ({
    superfluous: { message: `another question than that by ${form}` },
  });
  const wrong = (message: string, value: string) => ({ invalid: { message, value } });
  const anId = 'must be 32 lower-case hex characters';

  it.each([
    ['', { query: { required: { message: FORMS } } }],
    ['unknown=1', { query: { required: { message: FORMS } } }],
    ['zone=east', { cluster_id: needs('zone') }],
    [`sbc_id=${SBCS.east}`, { direction: needs('sbc_id'), to_number: needs('sbc_id') }],
    ['source_ip=1.2.3.4&zone=east', { zone: notWith('source_ip') }],
    [
      `cluster_id=${HOSTED}&carrier=sprint`,
      {
        zone: needs('cluster_id, carrier'),
        carrier: notWith('cluster_id, zone'),
      },
    ],
    ['source_ip=1.2.3', { source_ip: wrong('Value must be an IPv4 or IPv6 address', '1.2.3') }],
    ['source_ip=', { source_ip: wrong('Value must be an IPv4 or IPv6 address', '') }],
    [
      'cluster_id=x&zone=',
      { cluster_id: wrong(anId, 'x'), zone: wrong('must be 1 to 64 characters', '') },
    ],
    [
      `media_server_id=y&carrier=${'c'.repeat(65)}`,
      {
        media_server_id: wrong(anId, 'y'),
        carrier: wrong('must be 1 to 64 characters', 'c'.repeat(65)),
      },
    ],
    [
      'sbc_id=z&direction=up&to_number=911x',
      {
        sbc_id: wrong(anId, 'z'),
        direction: wrong('must be one of from_mobile_device, from_pstn, to_mobile_device', 'up'),
        to_number: wrong('must be 1 to 32 digits, with or without a plus', '911x'),
      },
    ],
  ])('%j says what is wrong', async (query, faults) => {
    const answer = await ask(query);
    expect([answer.status, answer.body]).toEqual([400, invalid(faults)]);
  });

  it('a repeated member is one', async () => {
    const answer = await ask('source_ip=1.2.3.4&source_ip=1.2.3.5');
    expect([answer.status, Object.keys(answer.body.data)]).toEqual([400, ['source_ip']]);
  });
});

describe('the report', () => {
  it('of the demo data has nothing to say', async () => {
    expect((await call('GET', REPORT)).body).toEqual(
      success({ dangling_references: [], shared_ips: [], truncated: false }),
    );
  });

  it('names who refers to what is not there, and addresses in two places', async () => {
    const ips = ['198.51.100.11', '203.0.113.1'];
    const sbc = await add(SBC_BASE, {
      ...zoned('east', 'Twin'),
      carrier: 'sprint',
      ips,
      mobile_media_server: SBCS.east,
    });
    const carrier_sbc_priority = { sprint: [sbc, ABSENT], other: [ABSENT] };
    const server = await add(SERVERS, {
      ...zoned('east', 'Server'),
      carrier_sbc_priority,
      top_ips: ['0.0.2.1'],
    });
    const cluster = {
      name: 'Both ways',
      owner: 'o',
      ips: { inbound: { east: ['203.0.113.2'] }, outbound: { east: ['203.0.113.2'] } },
    };
    await call('PUT', `${CLUSTERS}/${ABSENT}`, cluster);
    const { dangling_references, shared_ips } = (await call('GET', REPORT)).body.data;
    const missing = { type: 'carrier_sbc', id: ABSENT };
    const from = { type: 'media_server', id: server, name: 'Server' };
    expect(dangling_references).toEqual([
      { ...from, field: 'carrier_sbc_priority.other', missing },
      { ...from, field: 'carrier_sbc_priority.sprint', missing },
      {
        type: 'carrier_sbc',
        id: sbc,
        name: 'Twin',
        field: 'mobile_media_server',
        missing: { type: 'media_server', id: SBCS.east },
      },
    ]);
    const place = { role: 'sbc', zone: 'east' };
    const sbcs = [
      { ...place, id: SBCS.east, name: 'Sprint East SBC', carrier: 'sprint' },
      { ...place, id: sbc, name: 'Twin', carrier: 'sprint' },
    ];
    const both = { id: ABSENT, name: 'Both ways', zone: 'east' };
    const byIp = Object.fromEntries(
      shared_ips.map((shared: { ip: string; places: unknown }) => [shared.ip, shared.places]),
    );
    expect(byIp).toEqual({
      '0.0.2.1': [
        { role: 'cluster_inbound', id: SANDBOX, name: 'Kazoo Sandbox', zone: 'west' },
        { role: 'media_top', id: server, name: 'Server', zone: 'east' },
      ],
      '198.51.100.11': sbcs.sort((a, b) => (a.id < b.id ? -1 : 1)),
      '203.0.113.2': [
        { role: 'cluster_inbound', ...both },
        { role: 'cluster_outbound', ...both },
      ],
    });
    await remove(CLUSTERS, ABSENT);
    await remove(SERVERS, server);
    await remove(SBC_BASE, sbc);
  });
});

it.each([RESOLVE, REPORT])('%s is for the master account of the Master Cluster', async (path) => {
  for (const account of [2, 3] as const) {
    const answer = await call('GET', path, undefined, { token: await service.tokenOf(account) });
    expect([answer.status, answer.body]).toEqual([403, forbidden()]);
  }
});
