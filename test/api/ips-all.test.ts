import { parse } from 'csv-parse/sync';
import { failure, forbidden, invalid, success } from '../support/envelope.js';
import { details } from '../support/ip-pool.js';
import { callRaw } from '../support/raw-call.js';
import { HASH } from '../support/revisions.js';
import {
  CUSTOMER,
  MASTER,
  RESELLER,
  startTestService,
  type TestService,
} from '../support/service.js';

interface Row {
  readonly ip: string;
  readonly zone: string;
  readonly host: string;
  readonly assigned_to?: string;
}

const ZONES = ['a', 'b'];
const HOSTS = ['h1', 'h2', 'a'];
const HOLDERS = [undefined, CUSTOMER, RESELLER];
const ODD = '=HYPERLINK("http://192.0.2.1"),\r\n\'x"';

/** Two addresses of every zone, host and holder. */
const POOL: readonly Row[] = ZONES.flatMap((zone, z) =>
  HOSTS.flatMap((host, h) =>
    HOLDERS.flatMap((holder, a) =>
      [0, 1].map((n) => ({
        ip: `10.${z}.${h}.${a * 10 + n}`,
        zone,
        host,
        ...(holder === undefined ? {} : { assigned_to: holder }),
      })),
    ),
  ),
);

const byIp = (one: { ip: string }, other: { ip: string }) => (one.ip < other.ip ? -1 : 1);

describe('the list of the whole pool', () => {
  let service: TestService;
  let token: string;

  beforeAll(async () => {
    service = await startTestService();
    token = await service.tokenOf(1);
    const demo = await service.call('GET', '/v2/ips?quantity=1000', { token });
    for (const { ip } of demo.body.data) await service.call('DELETE', `/v2/ips/${ip}`, { token });
    for (const zone of ZONES) {
      for (const host of HOSTS) {
        const ips = POOL.filter((row) => row.zone === zone && row.host === host);
        const data = { ips: ips.map(({ ip }) => ip), zone, host };
        expect((await service.call('PUT', '/v2/ips', { token, body: { data } })).status).toBe(201);
      }
    }
    for (const id of [CUSTOMER, RESELLER]) {
      const ips = POOL.filter((row) => row.assigned_to === id).map(({ ip }) => ip);
      const body = { data: { ips } };
      await service.call('POST', `/v2/accounts/${id}/ips`, { token, body });
    }
  });
  afterAll(() => service.stop());

  const list = (query = '') => service.call('GET', `/v2/ips/all${query}`, { token });
  const shown = (row: Row) => details(row.ip, row.zone, row.assigned_to, row.host);

  it('shows the details of each address, paged as Kazoo pages, from the end', async () => {
    const answer = await list();
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual(
      success(answer.body.data, { revision: HASH, page_size: POOL.length }),
    );
    expect([...answer.body.data].sort(byIp)).toEqual([...POOL].sort(byIp).map(shown));
    const ascending = await list('?ascending=true');
    expect(ascending.body.data).toEqual([...answer.body.data].reverse());
    const zones = ascending.body.data.map(({ zone }: Row) => zone);
    expect(zones).toEqual([...zones].sort());
  });

  const filters = ['', 'available', 'assigned'].flatMap((status) =>
    ['', 'a', 'nowhere'].flatMap((zone) =>
      ['', 'a', 'h1'].flatMap((host) =>
        ['', CUSTOMER, MASTER].map((holder) => [status, zone, host, holder] as const),
      ),
    ),
  );

  it('takes every combination of filters, in pages that together are the whole', async () => {
    for (const [status, zone, host, holder] of filters) {
      const query = Object.entries({ status, zone, host, assigned_to: holder })
        .filter(([, value]) => value !== '')
        .map(([name, value]) => `&${name}=${value}`)
        .join('');
      const wanted = POOL.filter(
        (row) =>
          (status === '' || (status === 'assigned') === (row.assigned_to !== undefined)) &&
          (zone === '' || row.zone === zone) &&
          (host === '' || row.host === host) &&
          (holder === '' || row.assigned_to === holder),
      );
      const found: Row[] = [];
      let start = '';
      let pages = 0;
      do {
        const { body } = await list(`?page_size=5${query}${start}`);
        found.push(...body.data);
        expect(body.page_size).toBe(body.data.length);
        start = body.next_start_key === undefined ? '' : `&start_key=${body.next_start_key}`;
        pages += 1;
      } while (start !== '');
      expect([query, [...found].sort(byIp)]).toEqual([query, [...wanted].sort(byIp).map(shown)]);
      expect(pages).toBe(Math.max(1, Math.ceil(wanted.length / 5)));
    }
  }, 120_000);

  it('takes an empty zone, host and account for none', async () => {
    const answer = await list('?zone=&host=&assigned_to=');
    expect(answer.body.data).toHaveLength(POOL.length);
  });

  it('refuses another status, and a start key of another list', async () => {
    const enumerated = await list('?status=broken');
    expect(enumerated.status).toBe(400);
    const message = 'Value not found in enumerated list of values';
    expect(enumerated.body).toEqual(
      invalid({
        status: { enum: { message, target: ['available', 'assigned'], value: 'broken' } },
      }),
    );
    const { next_start_key: next } = (await list('?zone=a&page_size=1')).body;
    for (const key of [next, Buffer.from('[["zone","b",{}],"x"]').toString('base64url'), 'foo']) {
      const other = await list(`?zone=b&start_key=${key}`);
      expect(other.status).toBe(400);
      expect(Object.keys(other.body.data)).toEqual(['start_key']);
    }
  });

  it('is for superduper accounts, and the summary as well', async () => {
    for (const path of ['/v2/ips/all', '/v2/ips/summary']) {
      const answer = await service.call('GET', path, { token: await service.tokenOf(2) });
      expect(answer.status).toBe(403);
      expect(answer.body).toEqual(forbidden());
    }
  });

  it('is counted by zone, host and status', async () => {
    const answer = await service.call('GET', '/v2/ips/summary', { token });
    expect(answer.status).toBe(200);
    const counted = (rows: readonly Row[]) => {
      const assigned = rows.filter((row) => row.assigned_to !== undefined).length;
      return { available: rows.length - assigned, assigned, total: rows.length };
    };
    const data = {
      ...counted(POOL),
      zones: Object.fromEntries(ZONES.map((z) => [z, counted(POOL.filter((r) => r.zone === z))])),
      hosts: Object.fromEntries(HOSTS.map((h) => [h, counted(POOL.filter((r) => r.host === h))])),
      counts: ZONES.flatMap((zone) =>
        [...HOSTS].sort().flatMap((host) => [
          { zone, host, status: 'assigned', count: 4 },
          { zone, host, status: 'available', count: 2 },
        ]),
      ),
    };
    expect(answer.body).toEqual(success(data, { revision: HASH }));
  });

  describe('as CSV', () => {
    const csv = (query = '', accept = 'text/csv') =>
      callRaw(service.url, 'GET', `/v2/ips/all${query}`, { token, headers: { accept } });

    it('holds the whole list that the filters take, whatever the page', async () => {
      const answer = await csv('?zone=a&page_size=1&ascending=true');
      expect(answer.status).toBe(200);
      expect(answer.headers['content-type']).toBe('text/csv; charset=utf-8');
      expect(answer.headers['content-disposition']).toBe('attachment; filename="ips.csv"');
      expect(answer.headers['vary']).toBe('accept');
      const listed = await list('?zone=a&ascending=true');
      const lines = listed.body.data.map(
        ({ ip, zone, host, status, assigned_to = '' }: Row & { status: string }) =>
          [ip, zone, host, status, assigned_to].join(','),
      );
      expect(answer.text).toBe(['ip,zone,host,status,assigned_to', ...lines, ''].join('\r\n'));
    });

    it('of nothing is the header alone', async () => {
      const answer = await csv('?zone=nowhere');
      expect([answer.status, answer.text]).toEqual([200, 'ip,zone,host,status,assigned_to\r\n']);
    });

    it('quotes what would break a line and defuses what would be a formula', async () => {
      const data = { ip: '10.9.0.1', zone: 'odd', host: ODD };
      await service.call('PUT', '/v2/ips', { token, body: { data } });
      const { text } = await csv('?zone=odd');
      const [, record] = parse(text) as string[][];
      expect(record).toEqual(['10.9.0.1', 'odd', `'${ODD}`, 'available', '']);
      await service.call('DELETE', '/v2/ips/10.9.0.1', { token });
    });

    it('is chosen by what the client likes best', async () => {
      const types = async (accept: string) =>
        String((await csv('?zone=nowhere', accept)).headers['content-type']).split(';')[0];
      expect(await types('text/csv;q=0.5, application/json;q=0.4')).toBe('text/csv');
      expect(await types('text/*')).toBe('text/csv');
      expect(await types('*/*')).toBe('application/json');
      expect(await types('application/json, text/csv')).toBe('application/json');
    });

    it('faults are told in the envelope, and other lists have no CSV', async () => {
      const wrong = await csv('?status=broken');
      expect([wrong.status, wrong.headers['content-type']]).toEqual([400, 'application/json']);
      const refused = failure(406, 'not_acceptable', {
        message: 'this service answers application/json',
      });
      const headers = { accept: 'text/csv' };
      const other = await callRaw(service.url, 'GET', '/v2/ips/zones', { token, headers });
      expect([other.status, other.body]).toEqual([406, refused]);
      const image = await csv('', 'image/png');
      expect([image.status, image.body]).toEqual([406, refused]);
    });

    it('goes on over many reads, and each address is there once', async () => {
      const data = { cidr: '10.100.0.0/20', zone: 'many', host: 'h' };
      await service.call('PUT', '/v2/ips', { token, body: { data } });
      const records = parse((await csv('?zone=many')).text, { columns: true }) as Row[];
      expect(records).toHaveLength(4096);
      expect(new Set(records.map(({ ip }) => ip)).size).toBe(4096);
    }, 60_000);
  });
});
