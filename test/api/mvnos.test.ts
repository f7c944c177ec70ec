import { startTestService, type TestService } from '../support/service.js';

const OWN = '8a901bea1d3297ef7d4c8d34809472c2';
const SANDBOX = 'aa2b36ac6a5edb290159cd1298283322';
const KEY = 'a-key-that-nobody-may-read-0123456789abcdef';
const SEALED = /^v1\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{32,}$/;

let service: TestService;
let token: string;

beforeAll(async () => {
  service = await startTestService();
  token = await service.tokenOf(1);
});
afterAll(() => service.stop());

describe('MVNOs', () => {
  it('are listed with their carriers', async () => {
    const answer = await service.call('GET', '/v2/support/mvnos?ascending=true', { token });
    expect(answer.status).toBe(200);
    expect(answer.body.data).toEqual([
      {
        id: '2600hz',
        name: '2600Hz',
        cluster_id: OWN,
        carriers: { sprint: { driver: 'sandbox' } },
      },
      {
        id: '2600hz_sandbox',
        name: '2600Hz Sandbox',
        cluster_id: SANDBOX,
        carriers: { sprint: { driver: 'sandbox' } },
      },
    ]);
  });

  it('come in pages, both ways', async () => {
    for (const order of ['true', 'false']) {
      const list = `/v2/support/mvnos?page_size=1&ascending=${order}`;
      const first = await service.call('GET', list, { token });
      const start = first.body.next_start_key;
      const second = await service.call('GET', `${list}&start_key=${start}`, { token });
      const ids = [...first.body.data, ...second.body.data].map(({ id }) => id);
      const wanted = ['2600hz', '2600hz_sandbox'];
      expect(ids).toEqual(order === 'true' ? wanted : wanted.reverse());
      expect(second.body.next_start_key).toBeUndefined();
    }
  });

  it('show the key of a carrier sealed', async () => {
    const { service: mvnos } = service.services.support.mvnos;
    await mvnos.create('acme', 'Acme', undefined);
    const url = 'https://carrier.example.com';
    await mvnos.setCarrier('acme', 'verizon', { driver: 'http', url, timeoutMs: 900, key: KEY });
    const answer = await service.call('GET', '/v2/support/mvnos/acme', { token });
    const sealed = answer.body.data.carriers.verizon.api_key;
    expect(answer.body.data).toEqual({
      id: 'acme',
      name: 'Acme',
      carriers: {
        verizon: { driver: 'http', url, timeout_ms: 900, api_key: expect.stringMatching(SEALED) },
      },
    });
    const { box } = service.services.secrets;
    expect(box.open(sealed, 'acme', 'pvt_carrier_key_verizon')).toBe(KEY);
    expect(JSON.stringify(answer.body)).not.toContain(KEY);
    expect((await service.call('GET', '/v2/support/mvnos/nobody', { token })).status).toBe(404);
  });

  it('keep their carriers with the cluster they name when another one joins them', async () => {
    const early = '0'.repeat(32);
    const data = { mvno_id: '2600hz', api_url: 'https://k.example.com', api_key: KEY };
    const path = `/v2/support/clusters/${early}`;
    expect((await service.call('PUT', path, { token, body: { data } })).status).toBe(201);
    const carriers = await service.services.support.carriers.list();
    const places = carriers.map(({ mvnoId, clusterId }) => [mvnoId, clusterId]);
    expect(places).toContainEqual(['2600hz', OWN]);
    expect(places.flat()).not.toContain(early);
  });

  it('are for the master account only', async () => {
    const reseller = await service.tokenOf(2);
    for (const path of ['/v2/support/mvnos', '/v2/support/clusters']) {
      const answer = await service.call('GET', path, { token: reseller });
      expect([answer.status, answer.body.message]).toEqual([403, 'forbidden']);
    }
  });
});
