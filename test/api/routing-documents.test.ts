import { runOperation } from '../../src/core/operation.js';
import { createRoutingParts } from '../../src/resources/routing/routing.parts.js';
import { noSuch, success } from '../support/envelope.js';
import { REVISION } from '../support/revisions.js';
import { ABSENT, type Caller, callerOf, MEDIA, SBCS, storedRouting } from '../support/routing.js';
import { startTestService, type TestService } from '../support/service.js';

const SBC_BASE = '/support/routing/carrier_sbcs';
const MEDIA_BASE = '/support/routing/media_servers';
const ID = expect.stringMatching(/^[0-9a-f]{32}$/);

const location = { zone: 'west', state: 'CA', city: 'San Francisco' };
const rule = (pattern: string, replace: string) => ({ to_number: { pattern, replace } });
const toMobile = { to_mobile_device: rule('/^([0-9]+)$/', '99999$1') };

/** The bodies that the page sends; a carrier with them, as its list shows one. */
const sbc = {
  name: 'Dummy SBC',
  carrier: 'sprint',
  location,
  ips: ['1.2.3.4'],
  mobile_media_server: MEDIA.west,
  call_directions: [
    {
      direction: 'from_mobile_device',
      headers: { 'variable_sip_h_P-Served-User': 'sescase=orig' },
    },
    { direction: 'from_pstn', headers: { 'variable_sip_h_P-Served-User': 'sescase=term' } },
  ],
  number_formatting: {
    from_mobile_device: rule('/^(?:467)?([0-9]+)$/', '$1'),
    from_pstn: rule('/^(?:467)?([0-9]+)$/', '$1'),
    ...toMobile,
  },
};
const { carrier: _carrier, ...plainSbc } = sbc;
const updatedSbc = { ...plainSbc, number_formatting: toMobile };

const media = {
  name: 'Dummy Media Server',
  location,
  interfaces: {
    carrier_mpls: { sprint: 'sipinterface_sprint' },
    authenticated_connection: 'sipinterface_to_customer',
    unauthenticated_connection: 'sipinterface_sprint_did',
  },
  carrier_sbc_priority: { sprint: [SBCS.west, SBCS.central, SBCS.east] },
  top_ips: ['10.26.254.254', '10.26.254.253'],
};
const updatedMedia = {
  ...media,
  interfaces: {
    carrier_mpls: { sprint: 'sprint_mpls_interface' },
    authenticated_connection: 'authenticated_connection_interface',
    unauthenticated_connection: 'unauthenticated_connection_interface',
  },
};

let service: TestService;
let call: Caller;

beforeAll(async () => {
  service = await startTestService();
  call = callerOf(service, await service.tokenOf(1));
});
afterAll(() => service.stop());

describe('the SBCs of the page', () => {
  it('are listed with what a list shows, by name', async () => {
    const answer = await call('GET', SBC_BASE);
    const row = (zone: keyof typeof SBCS, name: string, state: string, city: string) => ({
      id: SBCS[zone],
      name,
      carrier: 'sprint',
      location: { zone, state, city },
      mobile_media_server: MEDIA[zone],
    });
    expect([answer.status, answer.body]).toEqual([
      200,
      success([
        row('central', 'Sprint Central SBC', 'IL', 'Chicago'),
        row('east', 'Sprint East SBC', 'NY', 'New York City'),
        row('west', 'Sprint West SBC', 'CA', 'Los Angeles'),
      ]),
    ]);
  });

  it('are created, shown, updated, patched and deleted as it prints', async () => {
    const put = await call('PUT', SBC_BASE, sbc);
    const { id } = put.body.data;
    const path = `${SBC_BASE}/${id}`;
    const shown = (fields: object) => success({ id, ...fields }, { revision: REVISION });
    expect([put.status, put.body]).toEqual([201, shown(sbc)]);
    expect(id).toEqual(ID);
    expect(put.headers['location']).toBe(`http://telcouch.test/v2${path}`);
    expect((await call('GET', path)).body).toEqual(shown(sbc));
    const post = await call('POST', path, updatedSbc);
    expect([post.status, post.body]).toEqual([200, shown(updatedSbc)]);
    const listed = (await call('GET', SBC_BASE)).body.data;
    expect(listed.find((row: { id: string }) => row.id === id)).toEqual({
      id,
      name: 'Dummy SBC',
      location,
      mobile_media_server: MEDIA.west,
    });
    const ips = ['1.2.3.4', '1.2.3.5', '1.2.3.6'];
    const patch = await call('PATCH', path, { ips });
    expect([patch.status, patch.body]).toEqual([200, shown({ ...updatedSbc, ips })]);
    const removed = await call('DELETE', path);
    expect([removed.status, removed.body]).toEqual([200, shown({ ...updatedSbc, ips })]);
    expect((await call('GET', path)).body).toEqual(noSuch(id));
  });

  it('keep when they were created, and members that others have added', async () => {
    const { id } = (await call('PUT', SBC_BASE, { ...sbc, vendor: { model: 'x' } })).body.data;
    const created = (await storedRouting(service)).get(id)?.['pvt_created'];
    const patched = await call('PATCH', `${SBC_BASE}/${id}`, { vendor: { serial: 'y' } });
    expect(patched.body.data).toEqual({ id, ...sbc, vendor: { model: 'x', serial: 'y' } });
    const replaced = await call('POST', `${SBC_BASE}/${id}`, plainSbc);
    expect(replaced.body.data).toEqual({ id, ...plainSbc });
    expect((await storedRouting(service)).get(id)).toMatchObject({
      pvt_type: 'carrier_sbc',
      pvt_created: created,
    });
    await call('DELETE', `${SBC_BASE}/${id}`);
  });

  it('lose a direction of formatting by null, and get one by a merge', async () => {
    const { id } = (await call('PUT', SBC_BASE, sbc)).body.data;
    const formatting = {
      from_pstn: null,
      to_mobile_device: { to_number: { replace: '88888$1' } },
    };
    const answer = await call('PATCH', `${SBC_BASE}/${id}`, { number_formatting: formatting });
    expect(answer.body.data.number_formatting).toEqual({
      from_mobile_device: sbc.number_formatting.from_mobile_device,
      to_mobile_device: rule('/^([0-9]+)$/', '88888$1'),
    });
    await call('DELETE', `${SBC_BASE}/${id}`);
  });

  it('are made once by a repeated request with one idempotency key', async () => {
    const headers = { 'idempotency-key': 'one SBC' };
    const [first, second] = [
      await call('PUT', SBC_BASE, sbc, { headers }),
      await call('PUT', SBC_BASE, sbc, { headers }),
    ];
    expect([first.status, second.status]).toEqual([201, 201]);
    expect(second.body.data).toEqual(first.body.data);
    await call('DELETE', `${SBC_BASE}/${first.body.data.id}`);
    expect((await call('GET', SBC_BASE)).body.data).toHaveLength(3);
  });

  it('are the way they are whoever refers to them: a deletion is not refused', async () => {
    const { id } = (await call('PUT', SBC_BASE, sbc)).body.data;
    const priority = { carrier_sbc_priority: { sprint: [id] } };
    const server = await call('PUT', MEDIA_BASE, { ...media, ...priority });
    expect((await call('DELETE', `${SBC_BASE}/${id}`)).status).toBe(200);
    const path = `${MEDIA_BASE}/${server.body.data.id}`;
    expect((await call('GET', path)).body.data).toMatchObject(priority);
    await call('DELETE', path);
  });
});

describe('the carrier of an SBC that names none', () => {
  const create = (findOnlyCarrier: (clusterId: string) => Promise<string | undefined>) => {
    const parts = createRoutingParts({ couch: service.couch, now: Date.now, findOnlyCarrier });
    return runOperation({ requestId: ABSENT }, async () => {
      const { id, fields } = await parts.service.add('carrier_sbc', plainSbc, 'cluster-1');
      await parts.service.remove('carrier_sbc', id, () => undefined);
      parts.stop();
      return fields['carrier'];
    });
  };

  it("is the only one of the caller's MVNO", async () => {
    const { data } = (await call('PUT', SBC_BASE, plainSbc)).body;
    expect(data).toEqual({ id: ID, ...plainSbc, carrier: 'sprint' });
    const replaced = await call('POST', `${SBC_BASE}/${data.id}`, plainSbc);
    expect(replaced.body.data).toEqual({ id: data.id, ...plainSbc });
    await call('DELETE', `${SBC_BASE}/${data.id}`);
  });

  it('is asked for by the cluster that the caller names', async () => {
    const asked: string[] = [];
    const carrier = await create((clusterId) => {
      asked.push(clusterId);
      return Promise.resolve('sprint');
    });
    expect([carrier, asked]).toEqual(['sprint', ['cluster-1']]);
  });

  it('is none when there are several or none to choose from', async () => {
    expect(await create(() => Promise.resolve(undefined))).toBeUndefined();
  });
});

describe('the media servers of the page', () => {
  it('are listed with what a list shows, by name', async () => {
    const row = (
      zone: keyof typeof MEDIA,
      [name, state, city]: [string, string, string],
      order: (keyof typeof SBCS)[],
    ) => ({
      id: MEDIA[zone],
      name,
      location: { zone, state, city },
      carrier_sbc_priority: { sprint: order.map((each) => SBCS[each]) },
    });
    expect((await call('GET', MEDIA_BASE)).body).toEqual(
      success([
        row('central', ['CH2 Mobile Media Server', 'IL', 'Chicago'], ['central', 'east', 'west']),
        row('east', ['NY2 Mobile Media Server', 'NY', 'New York'], ['east', 'central', 'west']),
        row('west', ['SV4 Mobile Media Server', 'CA', 'Santa Clara'], ['west', 'central', 'east']),
      ]),
    );
  });

  it('are created, shown, updated, patched and deleted as it prints', async () => {
    const put = await call('PUT', `${MEDIA_BASE}/`, media);
    const { id } = put.body.data;
    const path = `${MEDIA_BASE}/${id}`;
    const shown = (fields: object) => success({ id, ...fields }, { revision: REVISION });
    expect([put.status, put.body]).toEqual([201, shown(media)]);
    expect((await call('GET', path)).body).toEqual(shown(media));
    expect((await call('POST', path, updatedMedia)).body).toEqual(shown(updatedMedia));
    const top_ips = ['10.26.0.254', '10.26.0.253'];
    const patched = { ...updatedMedia, top_ips };
    expect((await call('PATCH', path, { top_ips })).body).toEqual(shown(patched));
    expect((await call('DELETE', path)).body).toEqual(shown(patched));
    expect((await call('GET', path)).body).toEqual(noSuch(id));
  });

  it('are no SBCs: each kind is found below its own path only', async () => {
    expect((await call('GET', `${SBC_BASE}/${MEDIA.east}`)).body).toEqual(noSuch(MEDIA.east));
    const answer = await call('DELETE', `${MEDIA_BASE}/${SBCS.east}`);
    expect([answer.status, answer.body]).toEqual([404, noSuch(SBCS.east)]);
  });
});

describe('long lists', () => {
  const names = Array.from({ length: 60 }, (_, n) => `Server ${String(n).padStart(2, '0')}`);
  const ids: string[] = [];

  beforeAll(async () => {
    for (const name of [...names].reverse()) {
      ids.push((await call('PUT', MEDIA_BASE, { name, location })).body.data.id);
    }
  });
  afterAll(() => Promise.all(ids.map((id) => call('DELETE', `${MEDIA_BASE}/${id}`))));

  const nameOf = ({ name }: { name: string }) => name;

  it('are answered whole, in the order of their names', async () => {
    const { data, next_start_key } = (await call('GET', MEDIA_BASE)).body;
    expect(data.map(nameOf).slice(2, 62)).toEqual(names);
    expect([data.length, next_start_key]).toEqual([63, undefined]);
  });

  it('are answered in pages for those who ask for pages', async () => {
    const seen: string[] = [];
    let start = '';
    do {
      const page = await call('GET', `${MEDIA_BASE}?page_size=25${start}`);
      expect(page.body.page_size).toBe(page.body.data.length);
      seen.push(...page.body.data.map(nameOf));
      const next = page.body.next_start_key;
      start = next === undefined ? '' : `&start_key=${next}`;
    } while (start !== '');
    expect(seen).toHaveLength(63);
    expect(seen.slice(2, 62)).toEqual(names);
  });
});
