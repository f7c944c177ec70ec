import { noSuch, success } from '../support/envelope.js';
import { ABSENT, type Caller, callerOf, HOSTED, MEDIA, SANDBOX, SBCS } from '../support/routing.js';
import { startTestService, type TestService } from '../support/service.js';

const RESOLVE = '/support/routing/resolve';
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
const answerOf = async (query: string) => (await ask(query)).body.data;

async function add(base: string, data: object): Promise<string> {
  return (await call('PUT', base, data)).body.data.id;
}
const remove = (base: string, id: string) => call('DELETE', `${base}/${id}`);

const zoned = (zone: string, name: string) => ({ name, location: { zone } });
/** An SBC as an answer to what a media server tries. */
const target = (zone: 'east' | 'west' | 'central', n: number) => ({
  id: SBCS[zone],
  name: `Sprint ${zone.charAt(0).toUpperCase()}${zone.slice(1)} SBC`,
  zone,
  ips: [`198.51.100.${n}`, `198.51.100.${n + 1}`],
});
const [EAST, WEST, CENTRAL] = [target('east', 11), target('west', 21), target('central', 31)];

describe('who has a source address', () => {
  const place = { role: 'sbc', id: SBCS.west, name: 'Sprint West SBC' };

  it('an SBC, with its zone and its carrier', async () => {
    const answer = await ask('source_ip=198.51.100.22');
    const matches = [{ ...place, zone: 'west', carrier: 'sprint' }];
    expect([answer.status, answer.body]).toEqual([
      200,
      success({ source_ip: '198.51.100.22', matches }),
    ]);
  });

  it.each([
    ['0.0.1.1', 'cluster_inbound', SANDBOX, 'Kazoo Sandbox', 'central'],
    ['192.0.2.111', 'cluster_outbound', HOSTED, 'Kazoo Hosted', 'east'],
    ['10.26.1.253', 'media_top', MEDIA.east, 'NY2 Mobile Media Server', 'east'],
  ])('%s is %s', async (ip, role, id, name, zone) => {
    expect(await answerOf(`source_ip=${ip}`)).toEqual({
      source_ip: ip,
      matches: [{ role, id, name, zone }],
    });
  });

  it('nobody', async () => {
    expect(await answerOf('source_ip=203.0.113.9')).toEqual({
      source_ip: '203.0.113.9',
      matches: [],
    });
  });

  it('everyone who has it, in every spelling of it, and no longer who is gone', async () => {
    const id = await add(SBC_BASE, { ...zoned('north', 'V6'), ips: ['2001:DB8::1', '0.0.0.1'] });
    const v6 = { role: 'sbc', id, name: 'V6', zone: 'north', carrier: 'sprint' };
    for (const ip of ['2001:db8:0:0::1', '2001:DB8::0001']) {
      expect(await answerOf(`source_ip=${ip}`)).toEqual({
        source_ip: '2001:db8::1',
        matches: [v6],
      });
    }
    const sandbox = { id: SANDBOX, name: 'Kazoo Sandbox', zone: 'east' };
    expect((await answerOf('source_ip=::ffff:0.0.0.1')).matches).toEqual([
      { role: 'cluster_inbound', ...sandbox },
      v6,
    ]);
    await remove(SBC_BASE, id);
    expect((await answerOf('source_ip=2001:db8::1')).matches).toEqual([]);
  });
});

describe('the gateways of a cluster', () => {
  it('are those of the zone, then those of the others by zone, as they are listed', async () => {
    const answer = await ask(`cluster_id=${HOSTED}&zone=east`);
    expect(answer.body).toEqual(
      success({
        cluster_id: HOSTED,
        name: 'Kazoo Hosted',
        zone: 'east',
        randomize_routing: false,
        gateways: [
          { ip: '192.0.2.11', zone: 'east' },
          { ip: '192.0.2.12', zone: 'east' },
          { ip: '192.0.2.21', zone: 'central' },
          { ip: '192.0.2.31', zone: 'west' },
        ],
      }),
    );
  });

  it('are those of all zones where the cluster has none in the zone', async () => {
    const { gateways } = await answerOf(`cluster_id=${SANDBOX}&zone=moon`);
    expect(gateways).toEqual([
      { ip: '0.0.1.1', zone: 'central' },
      { ip: '0.0.0.1', zone: 'east' },
      { ip: '0.0.2.1', zone: 'west' },
    ]);
  });

  it('keep the order of a list of more than ten, and tell when it is to be shuffled', async () => {
    const ips = Array.from({ length: 12 }, (_, n) => `203.0.113.${200 - n}`);
    const fields = { ips: { inbound: { west: ips } }, randomize_routing: true };
    await call('PUT', `${CLUSTERS}/${ABSENT}`, { name: 'n', owner: 'o', ...fields });
    const { gateways, randomize_routing } = await answerOf(`cluster_id=${ABSENT}&zone=west`);
    expect(gateways.map(({ ip }: { ip: string }) => ip)).toEqual(ips);
    expect(randomize_routing).toBe(true);
    await remove(CLUSTERS, ABSENT);
    const gone = await ask(`cluster_id=${ABSENT}&zone=west`);
    expect([gone.status, gone.body]).toEqual([404, noSuch(ABSENT)]);
  });
});

describe('the SBCs that a media server tries for a carrier', () => {
  const shown = { media_server_id: MEDIA.west, name: 'SV4 Mobile Media Server', zone: 'west' };

  it('are those of its own order', async () => {
    const answer = await ask(`media_server_id=${MEDIA.west}&carrier=sprint`);
    expect(answer.body).toEqual(
      success({
        ...shown,
        carrier: 'sprint',
        interface: 'sipinterface_sprint',
        order: 'priority',
        sbcs: [WEST, CENTRAL, EAST],
        unresolved: [],
      }),
    );
  });

  it('are without those that do not exist any more, or never did, which are told', async () => {
    const gone = await add(SBC_BASE, { ...zoned('west', 'Gone'), ips: [] });
    await remove(SBC_BASE, gone);
    const sprint = [gone, SBCS.east, ABSENT, MEDIA.west, SBCS.west];
    const id = await add(SERVERS, { ...zoned('west', 'M'), carrier_sbc_priority: { sprint } });
    expect(await answerOf(`media_server_id=${id}&carrier=sprint`)).toEqual({
      media_server_id: id,
      name: 'M',
      zone: 'west',
      carrier: 'sprint',
      order: 'priority',
      sbcs: [EAST, WEST],
      unresolved: [gone, ABSENT, MEDIA.west],
    });
    await remove(SERVERS, id);
  });

  it('are all of the carrier where it has no order, those of its zone first', async () => {
    const id = await add(SERVERS, zoned('west', 'M'));
    expect(await answerOf(`media_server_id=${id}&carrier=sprint`)).toEqual({
      media_server_id: id,
      name: 'M',
      zone: 'west',
      carrier: 'sprint',
      order: 'zone',
      sbcs: [WEST, CENTRAL, EAST],
      unresolved: [],
    });
    const other = await answerOf(`media_server_id=${id}&carrier=constructor`);
    expect([other.order, other.sbcs]).toEqual(['zone', []]);
    await call('PATCH', `${SERVERS}/${id}`, { carrier_sbc_priority: { sprint: [] } });
    const none = await answerOf(`media_server_id=${id}&carrier=sprint`);
    expect([none.order, none.sbcs]).toEqual(['priority', []]);
    await remove(SERVERS, id);
  });

  it('of no media server are absent', async () => {
    const answer = await ask(`media_server_id=${SBCS.east}&carrier=sprint`);
    expect([answer.status, answer.body]).toEqual([404, noSuch(SBCS.east)]);
  });
});
