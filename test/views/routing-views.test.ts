import { supportSamples } from './support-samples.js';
import { runMap } from './view-server.js';

const cluster = supportSamples['customer_cluster'];
const sbc = supportSamples['carrier_sbc'];
const media = supportSamples['media_server'];

const rowsOf = (view: string, doc: unknown) => runMap(`routing-top/routing/${view}`, doc);

const VIEWS = [
  'by_ip',
  'by_type',
  'cluster_gateways',
  'media_by_zone',
  'media_sbc_order',
  'refs',
  'sbc_by_carrier_zone',
];

const EAST = { zone: 'east', state: 'NY', city: 'New York City' };

describe('a customer cluster', () => {
  test('is listed by name with its owner', async () => {
    expect(await rowsOf('by_type', cluster)).toEqual([
      [['customer_cluster', 'Kazoo Sandbox'], { owner: '2600hz' }],
    ]);
  });

  test('is found by every address of its zones, with the direction', async () => {
    const name = 'Kazoo Sandbox';
    expect(await rowsOf('by_ip', cluster)).toEqual([
      [['0.0.2.1', 'cluster_inbound'], { name, zone: 'west' }],
      [['0.0.0.1', 'cluster_inbound'], { name, zone: 'east' }],
      [['0.0.0.11', 'cluster_inbound'], { name, zone: 'east' }],
      [['0.0.0.2', 'cluster_outbound'], { name, zone: 'east' }],
    ]);
  });

  test('gives its gateways by direction and zone, in their order', async () => {
    expect(await rowsOf('cluster_gateways', cluster)).toEqual([
      [['c', 'inbound', 'west', 0], '0.0.2.1'],
      [['c', 'inbound', 'east', 0], '0.0.0.1'],
      [['c', 'inbound', 'east', 1], '0.0.0.11'],
      [['c', 'outbound', 'east', 0], '0.0.0.2'],
    ]);
  });
});

describe('a carrier SBC', () => {
  test('is listed by name with what lists show of it', async () => {
    const row = { carrier: 'sprint', location: EAST, mobile_media_server: 'm' };
    expect(await rowsOf('by_type', sbc)).toEqual([[['carrier_sbc', 'Sprint East SBC'], row]]);
    const bare = { ...sbc, carrier: undefined, mobile_media_server: undefined };
    expect(await rowsOf('by_type', bare)).toEqual([
      [['carrier_sbc', 'Sprint East SBC'], { location: EAST }],
    ]);
  });

  test('is found by its addresses, with zone and carrier', async () => {
    const value = { name: 'Sprint East SBC', zone: 'east', carrier: 'sprint' };
    expect(await rowsOf('by_ip', sbc)).toEqual([
      [['1.2.3.4', 'sbc'], value],
      [['1.2.3.5', 'sbc'], value],
    ]);
  });

  test('is found by carrier and zone, unless it has no carrier', async () => {
    const value = {
      name: 'Sprint East SBC',
      ips: ['1.2.3.4', '1.2.3.5'],
      mobile_media_server: 'm',
    };
    expect(await rowsOf('sbc_by_carrier_zone', sbc)).toEqual([[['sprint', 'east', 's'], value]]);
    expect(await rowsOf('sbc_by_carrier_zone', { ...sbc, carrier: undefined })).toEqual([]);
  });

  test('refers to its media server', async () => {
    expect(await rowsOf('refs', sbc)).toEqual([
      [['media', 'm'], { name: 'Sprint East SBC', field: 'mobile_media_server' }],
    ]);
  });
});

describe('a media server', () => {
  const name = 'NY2 Mobile Media Server';
  const location = { zone: 'east', state: 'NY', city: 'New York' };
  const priority = { sprint: ['s', 's2'], other: ['s3'] };

  test('is listed by name with what lists show of it', async () => {
    expect(await rowsOf('by_type', media)).toEqual([
      [['media_server', name], { location, carrier_sbc_priority: priority }],
    ]);
  });

  test('is found by the addresses that are trusted as ours', async () => {
    expect(await rowsOf('by_ip', media)).toEqual([
      [['10.26.254.254', 'media_top'], { name, zone: 'east' }],
    ]);
  });

  test('is found by zone', async () => {
    const interfaces = { carrier_mpls: { sprint: 'sipinterface_sprint' } };
    expect(await rowsOf('media_by_zone', media)).toEqual([
      [['east', 'm'], { name, interfaces, carrier_sbc_priority: priority }],
    ]);
  });

  test('links to the SBCs of each carrier, in order', async () => {
    expect(await rowsOf('media_sbc_order', media)).toEqual([
      [['m', 'sprint', 0], { _id: 's' }],
      [['m', 'sprint', 1], { _id: 's2' }],
      [['m', 'other', 0], { _id: 's3' }],
    ]);
  });

  test('refers to every SBC it names', async () => {
    expect(await rowsOf('refs', media)).toEqual([
      [['sbc', 's'], { name, field: 'carrier_sbc_priority.sprint' }],
      [['sbc', 's2'], { name, field: 'carrier_sbc_priority.sprint' }],
      [['sbc', 's3'], { name, field: 'carrier_sbc_priority.other' }],
    ]);
  });
});

describe.each(VIEWS)('%s', (view) => {
  test('never throws on documents that others wrote, and leaves deleted ones out', async () => {
    const bad = [
      { ips: null, location: null, carrier_sbc_priority: null, top_ips: 'x' },
      { ips: 'x', location: 'x', carrier_sbc_priority: 'x', top_ips: {} },
      { ips: { inbound: null, outbound: 'x' }, carrier_sbc_priority: { a: null, b: [1, {}] } },
      { ips: { inbound: { east: null }, outbound: [1] }, location: {}, carrier_sbc_priority: [] },
    ];
    for (const sample of [cluster, sbc, media]) {
      for (const members of bad)
        await runMap(`routing-top/routing/${view}`, { ...sample, ...members });
      expect(await rowsOf(view, { ...sample, pvt_deleted: true })).toEqual([]);
    }
  });
});
