import { openPortApi, type PortApi } from '../support/port-api.js';
import { HOSTED, OTHER } from '../support/port-rig.js';
import { CUSTOMER } from '../support/service.js';

const ID = /^[0-9a-f]{32}$/;
const ABSENT = '0123456789abcdef0123456789abcdef';

describe('ports', () => {
  let api: PortApi;

  beforeAll(async () => {
    api = await openPortApi();
  });
  afterAll(() => api.close());

  it('begin with the record of a request that is with the carrier', async () => {
    const line = await api.makeLine();
    const body = {
      data: { mdn: '(415) 778-0001', esn: line.esn.toLowerCase() },
      carrier: 'sprint',
    };
    const { status, body: answer, headers } = await api.call('PUT', 'ports/in', body);
    expect(status).toBe(201);
    const submitted = {
      code: 'submitted',
      extended: 'request_sent',
      source: 'top',
      timestamp: expect.any(Number),
    };
    expect(answer.data).toEqual({
      id: expect.stringMatching(ID),
      direction: 'in',
      mdn: '+14157780001',
      status: submitted,
      status_history: [submitted],
      carrier_name: 'sprint',
      mvno_id: '2600hz',
      cluster_id: HOSTED,
      account_id: CUSTOMER,
      subscription_id: line.id,
      device_id: line.esn,
      created: submitted.timestamp,
      modified: expect.any(Number),
    });
    expect([answer.carrier, answer.status]).toEqual(['sprint', 'success']);
    const path = `ports/in/${answer.data.id}`;
    expect(headers['location']).toMatch(new RegExp(`/v2/support/${path}$`));
    const read = await api.call('GET', path);
    expect([read.status, read.body.data]).toEqual([200, answer.data]);
    expect((await api.call('GET', `ports/out/${answer.data.id}`)).status).toBe(404);
  });

  it('exist once for a number, in any spelling, until they are finished', async () => {
    const { id, mdn } = await api.begin();
    const line = await api.makeLine();
    const again = { data: { mdn: mdn.slice(2), subscription_id: line.id } };
    const refused = await api.call('PUT', 'ports/in', again);
    expect(refused.status).toBe(409);
    expect(refused.body.data).toEqual({
      mdn: { unique: { message: 'The number is being ported already', cause: mdn } },
    });
    await api.setStatus(id, { code: 'canceled', source: 'carrier' });
    expect((await api.call('PUT', 'ports/in', again)).status).toBe(201);
  });

  it('exist once for a number when twenty are begun at the same time', async () => {
    const lines = await Promise.all(Array.from({ length: 20 }, () => api.makeLine()));
    const mdn = api.nextMdn();
    const answers = await Promise.all(
      lines.map(({ id }) => api.call('PUT', 'ports/in', { data: { mdn, subscription_id: id } })),
    );
    const statuses = answers.map(({ status }) => status).sort();
    expect(statuses).toEqual([201, ...Array.from({ length: 19 }, () => 409)]);
    const listed = await api.call('GET', `ports/in?mdn=${encodeURIComponent(mdn)}`);
    expect(listed.body.data).toHaveLength(1);
  });

  it('exist once for a line when ten of other numbers are begun at the same time', async () => {
    const { id } = await api.makeLine();
    const mdns = Array.from({ length: 10 }, () => api.nextMdn());
    const answers = await Promise.all(
      mdns.map((mdn) => api.call('PUT', 'ports/in', { data: { mdn, subscription_id: id } })),
    );
    const refused = answers.filter(({ status }) => status !== 201);
    expect(refused.map(({ status, body }) => [status, body.message])).toEqual(
      Array.from({ length: 9 }, () => [409, 'line_has_port']),
    );
    const listed = await Promise.all(
      mdns.map((mdn) => api.call('GET', `ports/in?mdn=${encodeURIComponent(mdn)}`)),
    );
    const [only, ...others] = listed.flatMap(({ body }) => body.data);
    expect([(await api.storedLine(id))['pvt_port_id'], others]).toEqual([only.id, []]);
  });

  it('cannot begin for a number that a line has, nor a second time for a line', async () => {
    const other = await api.makeLine();
    const { line } = await api.begin();
    const held = await api.call('PUT', 'ports/in', {
      data: { mdn: other.mdn, subscription_id: (await api.makeLine()).id },
    });
    expect(held.status).toBe(409);
    expect(held.body.data.mdn.unique.cause).toBe(other.mdn);
    const second = await api.call('PUT', 'ports/in', {
      data: { mdn: api.nextMdn(), subscription_id: line.id },
    });
    expect([second.status, second.body.message]).toEqual([409, 'line_has_port']);
  });

  it.each([
    [{}, ['mdn required', 'subscription_id required']],
    [{ mdn: '911', esn: 'xyz' }, ['mdn wrong_format', 'esn wrong_format']],
    [{ mdn: '+14157790001', subscription_id: 'x' }, ['subscription_id pattern']],
    [{ mdn: '+14157790001', subscription_id: ABSENT }, ['subscription_id not_found']],
    [{ mdn: '+14157790001', esn: 'A1000000FFFFFF' }, ['esn not_found']],
    [{ mdn: 14157790001, subscription_id: ABSENT }, ['mdn type']],
    [
      { mdn: '+14157790001', subscription_id: ABSENT, pvt_mvno: 'x' },
      ['pvt_mvno additionalProperties'],
    ],
  ])('do not begin with %j', async (data, faults) => {
    const { status, body } = await api.call('PUT', 'ports/in', { data });
    const found = Object.entries(body.data as Record<string, object>).flatMap(([path, rules]) =>
      Object.keys(rules).map((rule) => `${path} ${rule}`),
    );
    expect([status, found]).toEqual([400, faults]);
    expect((await api.call('GET', 'ports/in?mdn=%2B14157790001')).body.data).toEqual([]);
  });

  it('do not begin for a line of another carrier than is said', async () => {
    const { id } = await api.makeLine();
    const body = { data: { mdn: api.nextMdn(), subscription_id: id }, carrier: 'verizon' };
    const refused = await api.call('PUT', 'ports/in', body);
    expect([refused.status, refused.body.data]).toEqual([
      400,
      { carrier: { invalid: { message: 'The line is with sprint' } } },
    ]);
  });

  it('are listed by status and number, page by page, the newest first', async () => {
    const all = [await api.begin(), await api.begin(), await api.begin()];
    for (const { id } of all) await api.setStatus(id, { code: 'scheduled', source: 'carrier' });
    const first = await api.call('GET', 'ports/in?status=scheduled&page_size=2');
    expect([first.status, first.body.page_size]).toEqual([200, 2]);
    const key = encodeURIComponent(first.body.next_start_key);
    const second = await api.call('GET', `ports/in?status=scheduled&page_size=2&start_key=${key}`);
    const ids = [...first.body.data, ...second.body.data].map(({ id }: { id: string }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids).toEqual(expect.arrayContaining(all.map(({ id }) => id)));
    expect(first.body.data[0].status_history).toBeUndefined();
    const [one] = all;
    const mdn = encodeURIComponent(one?.mdn ?? '');
    const ofNumber = await api.call('GET', `ports/in?mdn=${mdn}&status=scheduled`);
    expect(ofNumber.body.data.map(({ id }: { id: string }) => id)).toEqual([one?.id]);
    expect((await api.call('GET', `ports/in?mdn=${mdn}&status=pending`)).body.data).toEqual([]);
    expect((await api.call('GET', `ports/out?mdn=${mdn}`)).body.data).toEqual([]);
    expect((await api.call('GET', 'ports/in?status=confirmed')).status).toBe(400);
    expect((await api.call('GET', 'ports/in?mdn=12')).status).toBe(400);
    expect((await api.call('GET', `ports/in/${ABSENT}`)).status).toBe(404);
    expect((await api.call('GET', 'ports/in/..%2f..')).status).toBe(404);
  });

  it('of other clusters are out of reach for who is master in one', async () => {
    const foreign = await api.begin(OTHER);
    const own = await api.begin();
    expect([foreign.data.cluster_id, foreign.data.mvno_id]).toEqual([OTHER, '2600hz_sandbox']);
    const list = async (cluster?: string) => {
      const headers = cluster === undefined ? {} : { 'x-kazoo-cluster-id': cluster };
      const { body } = await api.call('GET', 'ports/in?page_size=1000', undefined, headers);
      return body.data.map(({ id }: { id: string }) => id);
    };
    expect(await list()).toEqual(expect.arrayContaining([foreign.id, own.id]));
    const ofOther = await list(OTHER);
    expect(ofOther).toContain(foreign.id);
    expect(ofOther).not.toContain(own.id);
    const ports = api.service.services.support.ports.service;
    const asMaster = ports.get('in', foreign.id, HOSTED);
    await expect(asMaster).rejects.toMatchObject({ code: 'not_found' });
    const claim = { code: 'completed', source: 'carrier' };
    const change = ports.setStatus('in', foreign.id, claim, HOSTED);
    await expect(change).rejects.toMatchObject({ code: 'not_found' });
    const created = ports.create({ mdn: api.nextMdn(), subscriptionId: foreign.line.id }, HOSTED);
    await expect(created).rejects.toMatchObject({ code: 'invalid' });
  });

  it('are for masters only', async () => {
    for (const account of [2, 3] as const) {
      const other = await api.service.tokenOf(account);
      for (const [method, path] of [
        ['POST', 'poll'],
        ['GET', 'in'],
        ['GET', 'out'],
        ['PUT', 'in'],
        ['POST', `in/${ABSENT}/status`],
      ] as const) {
        const answer = await api.service.call(method, `/v2/support/ports/${path}`, {
          token: other,
        });
        expect(answer.status).toBe(403);
      }
    }
  });

  it('are moved on by a poll, which needs no body and no content type', async () => {
    const { id, mdn } = await api.begin();
    const message = { direction: 'in', mdn, code: 'pending' } as const;
    const timestamp = Math.floor(Date.now() / 1000) + 62167219201;
    await api.sandbox.pushPortMessages({ ...message, id: 'api-poll', timestamp });
    const form = { 'content-type': 'application/x-www-form-urlencoded' };
    const headers = { ...form, 'x-kazoo-cluster-id': HOSTED };
    const { status, body } = await api.call('POST', 'ports/poll', '{ "data": {} }', headers);
    const none = { duplicates: 0, late: 0, unknown: 0, refused: 0, has_more: false, errors: [] };
    const idle = { received: 0, applied: 0, ...none };
    const carriers = [
      { mvno_id: '2600hz', carrier: 'sprint', already_running: false },
      { mvno_id: '2600hz_sandbox', carrier: 'sprint', already_running: false },
    ];
    expect([status, body.data.already_running]).toEqual([200, false]);
    expect(body.data.carriers).toMatchObject(carriers);
    // Both MVNOs have the same carrier, which gives the message to either or to both.
    const { status_history: history } = (await api.call('GET', `ports/in/${id}`)).body.data;
    expect(history).toHaveLength(2);
    expect(history[1]).toEqual({ code: 'pending', source: 'carrier', timestamp });
    const other = await api.call('POST', 'ports/poll', undefined, { 'x-kazoo-cluster-id': OTHER });
    expect(other.body.data).toEqual({
      already_running: false,
      carriers: [{ ...carriers[1], ...idle }],
    });
  });
});
