import { openPortApi, type PortApi } from '../support/port-api.js';
import { CUSTOMER } from '../support/service.js';

describe('the status of ports in', () => {
  let api: PortApi;

  beforeAll(async () => {
    api = await openPortApi();
  });
  afterAll(() => api.close());

  it('give the line its number when they are completed, as the page has it', async () => {
    const { id, mdn, line } = await api.begin();
    const forced = { code: 'completed', source: 'carrier', forced_update: false };
    const { status, body } = await api.setStatus(id, forced);
    expect(status).toBe(200);
    expect(body.data.status).toEqual({
      code: 'completed',
      source: 'carrier',
      timestamp: expect.any(Number),
      forced_update: true,
    });
    expect(body.data.status_history.map(({ code }: { code: string }) => code)).toEqual([
      'submitted',
      'completed',
    ]);
    expect((await api.storedLine(line.id))['mdn']).toBe(mdn);
    const found = await api.call('GET', `phone_numbers/${encodeURIComponent(mdn)}/device`);
    expect([found.status, found.body.account_id]).toEqual([200, CUSTOMER]);
    const again = await api.setStatus(id, { code: 'completed', source: 'carrier' });
    expect([again.status, again.body.data]).toEqual([200, body.data]);
    const late = await api.setStatus(id, { code: 'canceled', source: 'carrier' });
    expect([late.status, late.body.message, late.body.data]).toEqual([
      409,
      'port_finished',
      { message: 'the port is completed', cause: id },
    ]);
    expect((await api.storedLine(line.id))['mdn']).toBe(mdn);
    // The number that the line had is free for another one.
    await api.sandbox.addLine({ mdn: line.mdn, plan: '260PLAN1' });
    const path = `accounts/${CUSTOMER}/subscriptions/import`;
    expect((await api.call('PUT', path, { data: { mdn: line.mdn } })).status).toBe(201);
  });

  it('leave the line its number when they are canceled', async () => {
    const { id, line } = await api.begin();
    const marked = await api.storedLine(line.id);
    expect(marked['pvt_port_id']).toBe(id);
    expect((await api.setStatus(id, { code: 'canceled', source: 'carrier' })).status).toBe(200);
    const { mdn, pvt_port_id: mark } = await api.storedLine(line.id);
    expect([mdn, mark]).toEqual([line.mdn, undefined]);
    expect((await api.setStatus(id, { code: 'completed', source: 'carrier' })).status).toBe(409);
  });

  it('are not completed with a number that another line has', async () => {
    const { id, mdn, line } = await api.begin();
    await api.sandbox.addLine({ mdn, plan: '260PLAN1' });
    const path = `accounts/${CUSTOMER}/subscriptions/import`;
    expect((await api.call('PUT', path, { data: { mdn } })).status).toBe(201);
    const before = (await api.call('GET', `ports/in/${id}`)).body;
    const { status, body } = await api.setStatus(id, { code: 'completed', source: 'carrier' });
    expect([status, body.message, body.data]).toEqual([
      409,
      'mdn_held',
      { message: 'another line has the number', cause: mdn },
    ]);
    const after = (await api.call('GET', `ports/in/${id}`)).body;
    expect([after.data, after.revision]).toEqual([before.data, before.revision]);
    expect((await api.storedLine(line.id))['mdn']).toBe(line.mdn);
    expect((await api.setStatus(id, { code: 'canceled', source: 'carrier' })).status).toBe(200);
  });

  it('go back and forth by hand while they are open', async () => {
    const { id } = await api.begin();
    const way = [
      { code: 'rejected', source: 'carrier', extended: 'sp_network_issue' },
      { code: 'submitted', source: 'top', extended: 'update_sent' },
      { code: 'scheduled', source: 'carrier' },
      { code: 'pending', source: 'carrier' },
    ];
    for (const data of way) expect((await api.setStatus(id, data)).status).toBe(200);
    const { data, revision } = (await api.call('GET', `ports/in/${id}`)).body;
    const history = data.status_history.slice(1);
    expect(history.map(({ timestamp: _, ...status }: { timestamp: number }) => status)).toEqual(
      way.map((status) => ({ ...status, forced_update: true })),
    );
    const times = data.status_history.map(({ timestamp }: { timestamp: number }) => timestamp);
    expect([...new Set(times)].sort()).toEqual(times);
    expect((await api.setStatus(id, way.at(-1))).body.revision).toBe(revision);
  });

  it('are refused with all faults of a status at once, and nothing is written', async () => {
    const { id } = await api.begin();
    const faulty: [unknown, string[]][] = [
      [{}, ['code required', 'source required']],
      [{ code: 'gone', source: 'me' }, ['code enum', 'source enum']],
      [{ code: 'completed', source: 'top' }, ['source enum']],
      [{ code: 'completed', source: 'carrier', extended: 'x' }, ['extended invalid']],
      [{ code: 'rejected', source: 'top', extended: 'a b' }, ['source enum', 'extended pattern']],
      [{ code: 'submitted', source: 'top', extended: 'initial_request' }, ['extended enum']],
      [{ code: 7, source: null }, ['code enum', 'source enum']],
      [{ code: 'pending', source: 'carrier', extended: '' }, ['extended minLength']],
      [{ code: 'pending', source: 'carrier', pvt_x: 1 }, ['pvt_x additionalProperties']],
    ];
    for (const [data, faults] of faulty) {
      const { status, body } = await api.setStatus(id, data);
      const found = Object.entries(body.data as Record<string, object>).flatMap(([path, rules]) =>
        Object.keys(rules).map((rule) => `${path} ${rule}`),
      );
      expect([status, found]).toEqual([400, faults]);
    }
    const { data } = (await api.call('GET', `ports/in/${id}`)).body;
    expect(data.status_history).toHaveLength(1);
  });
});
