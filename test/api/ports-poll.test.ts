import { databases } from '../../src/couch/databases.js';
import type { PollResult } from '../../src/resources/ports/ports.poll.js';
import { HOSTED, openPortRig, type PortRig } from '../support/port-rig.js';

const COUNTS = ['received', 'applied', 'duplicates', 'late', 'unknown', 'refused'] as const;

describe('a poll of the carriers', () => {
  let rig: PortRig;

  beforeAll(async () => {
    rig = await openPortRig();
  });
  afterAll(() => rig.close());
  afterEach(() => rig.sandbox.clearFaults());

  /** The counts of all carriers together. */
  function totalOf({ carriers }: PollResult) {
    const sums = COUNTS.map((name) => [name, carriers.reduce((n, each) => n + each[name], 0)]);
    return Object.fromEntries(sums);
  }
  const poll = () => rig.parts.poll(HOSTED);
  const get = (id: string) => rig.parts.service.get('in', id, undefined);
  const noCounts = Object.fromEntries(COUNTS.map((name) => [name, 0]));

  it('has nothing to do where there is nothing new', async () => {
    const result = await rig.parts.poll(undefined);
    const idle = { ...noCounts, alreadyRunning: false, hasMore: false, errors: [] };
    expect(result).toEqual({
      alreadyRunning: false,
      carriers: [
        { mvnoId: '2600hz', carrier: 'sprint', ...idle },
        { mvnoId: '2600hz_sandbox', carrier: 'sprint', ...idle },
      ],
    });
  });

  it('takes a port to its end, and the line to its number', async () => {
    const { portId, mdn, line } = await rig.begin();
    expect(line.portId).toBe(portId);
    const about = { direction: 'in', mdn: mdn.slice(1) } as const;
    await rig.sandbox.pushPortMessages(
      { ...about, id: `${portId}-1`, code: 'pending', timestamp: rig.at(1) },
      { ...about, id: `${portId}-2`, code: 'scheduled', timestamp: rig.at(2) },
    );
    expect(totalOf(await poll())).toEqual({ ...noCounts, received: 2, applied: 2 });
    expect((await get(portId)).status.code).toBe('scheduled');
    expect(line.portId).toBe(portId);
    await rig.sandbox.pushPortMessages({
      ...about,
      id: `${portId}-3`,
      port_id: portId,
      code: 'completed',
      timestamp: rig.at(3),
    });
    expect(totalOf(await poll())).toEqual({ ...noCounts, received: 1, applied: 1 });
    const done = await get(portId);
    expect(done.history.map(({ code, source }) => `${code} ${source}`)).toEqual([
      'submitted top',
      'pending carrier',
      'scheduled carrier',
      'completed carrier',
    ]);
    expect([done.isPending, line.mdn, line.portId]).toEqual([false, mdn, undefined]);
  });

  it('acknowledges what it has applied, and only then', async () => {
    const { portId, mdn } = await rig.begin();
    await rig.sandbox.clearJournal();
    const message = { direction: 'in', mdn, code: 'pending', timestamp: rig.at(1) } as const;
    await rig.sandbox.pushPortMessages({ ...message, id: `${portId}-1` });
    await rig.sandbox.setFault({ kind: 'error', path: '/v1/port-messages/ack', method: 'POST' });
    const failed = await poll();
    expect(failed.carriers[0]).toMatchObject({
      applied: 1,
      errors: [{ error: expect.any(String) }],
    });
    expect((await get(portId)).status.code).toBe('pending');
    expect(totalOf(await poll())).toEqual(noCounts);
    const acks = (await rig.sandbox.journal()).filter(({ path }) => path.endsWith('/ack'));
    expect(acks.map(({ status }) => status)).toEqual([500, 200]);
    await rig.sandbox.clearJournal();
    await poll();
    expect((await rig.sandbox.journal()).map(({ method }) => method)).toEqual(['GET']);
  });

  it.each(['duplicated_messages', 'reordered_messages'] as const)(
    'is not led astray by %s',
    async (kind) => {
      const { portId, mdn, line } = await rig.begin();
      await rig.sandbox.pushPortMessages(
        ...['pending', 'scheduled', 'completed'].map((code, n) => ({
          id: `${portId}-${n}`,
          direction: 'in' as const,
          mdn,
          code,
          timestamp: rig.at(n + 1),
        })),
      );
      await rig.sandbox.setFault({ kind, times: null });
      const counts = totalOf(await poll());
      const isDoubled = kind === 'duplicated_messages';
      expect(counts).toEqual({
        ...noCounts,
        received: isDoubled ? 6 : 3,
        applied: isDoubled ? 3 : 1,
        duplicates: isDoubled ? 3 : 0,
        late: isDoubled ? 0 : 2,
      });
      expect([(await get(portId)).status.code, line.mdn]).toEqual(['completed', mdn]);
    },
  );

  it('leaves a finished port as it is', async () => {
    const { portId, mdn, line } = await rig.begin();
    const before = line.mdn;
    const claim = { code: 'canceled', source: 'carrier' };
    await rig.parts.service.setStatus('in', portId, claim, undefined);
    await rig.sandbox.pushPortMessages(
      { direction: 'in', mdn, code: 'completed', timestamp: rig.at(60) },
      { direction: 'in', mdn, port_id: portId, code: 'completed', timestamp: rig.at(61) },
    );
    expect(totalOf(await poll())).toEqual({ ...noCounts, received: 2, late: 2 });
    expect([(await get(portId)).status.code, line.mdn]).toEqual(['canceled', before]);
  });

  it('keeps what nobody can use for people to look at', async () => {
    const { portId, mdn, line } = await rig.begin();
    const other = rig.lines.add('f'.repeat(32), rig.nextMdn());
    other.mdn = mdn;
    const stranger = rig.nextMdn();
    const message = { direction: 'in', mdn, timestamp: rig.at(5) } as const;
    await rig.sandbox.pushPortMessages(
      { ...message, id: 'held', code: 'completed' },
      { ...message, id: 'code', code: 'teleported' },
      { ...message, id: 'source', code: 'pending', source: 'top' },
      { ...message, id: 'stranger', mdn: stranger, code: 'pending' },
      { ...message, id: 'number', mdn: '911', code: 'pending' },
      { ...message, id: 'future', code: 'pending', timestamp: rig.at(90_000) },
    );
    const counts = { ...noCounts, received: 6, unknown: 2, refused: 4 };
    expect(totalOf(await poll())).toEqual(counts);
    expect([(await get(portId)).status.code, line.portId]).toEqual(['submitted', portId]);
    const [own] = await rig.parts.listUnmatched();
    expect(own?.messages.slice(-6).map(({ id, reason }) => [id, reason])).toEqual([
      ['held', 'mdn_held'],
      ['code', 'unknown_code'],
      ['source', 'bad_status'],
      ['stranger', 'unknown_port'],
      ['number', 'bad_number'],
      ['future', 'bad_time'],
    ]);
  });

  it('begins a port out once, whoever has the number', async () => {
    const line = rig.lines.add('e'.repeat(32), rig.nextMdn());
    const stranger = rig.nextMdn();
    const request = { direction: 'out', code: 'submitted', extended: 'initial_request' } as const;
    const asked = (id: string, mdn: string) => ({ ...request, id, mdn, timestamp: rig.at(-9) });
    await rig.sandbox.pushPortMessages(asked('own', line.mdn), asked('strange', stranger));
    await rig.sandbox.setFault({ kind: 'duplicated_messages', times: null });
    expect(totalOf(await poll())).toEqual({
      ...noCounts,
      received: 4,
      applied: 2,
      duplicates: 2,
    });
    const filter = { direction: 'out', clusterId: undefined, code: undefined } as const;
    const ports = [
      ...(await rig.parts.service.listOfNumber(line.mdn, filter)),
      ...(await rig.parts.service.listOfNumber(stranger, filter)),
    ];
    expect(
      ports.map(({ mdn, status, line: of }) => [mdn, status.code, of?.subscriptionId]),
    ).toEqual([
      [line.mdn, 'submitted', line.subscriptionId],
      [stranger, 'submitted', undefined],
    ]);
    await rig.sandbox.clearFaults();
    const gone = { direction: 'out', mdn: line.mdn, code: 'completed' } as const;
    await rig.sandbox.pushPortMessages({ ...gone, timestamp: rig.at(0) });
    expect(totalOf(await poll())).toEqual({ ...noCounts, received: 1, applied: 1 });
    expect(rig.lines.all.get(line.subscriptionId)?.mdn).toBe(line.mdn);
    await rig.sandbox.pushPortMessages({ ...asked('again', line.mdn), timestamp: rig.at(5) });
    expect(totalOf(await poll())).toEqual({ ...noCounts, received: 1, applied: 1 });
    const codes = (await rig.parts.service.listOfNumber(line.mdn, filter)).map(
      ({ status }) => status.code,
    );
    expect(codes.sort()).toEqual(['completed', 'submitted']);
  });

  it.each([
    ['error', 'carrier_bad_answer'],
    ['hang', 'carrier_timeout'],
    ['truncated_json', 'carrier_bad_answer'],
    ['unauthorized', 'carrier_auth'],
    ['rate_limited', 'carrier_unavailable'],
  ] as const)('says what went wrong when the carrier has a fault: %s', async (kind, error) => {
    const { portId, mdn } = await rig.begin();
    const message = { direction: 'in', mdn, code: 'pending', timestamp: rig.at(1) } as const;
    await rig.sandbox.pushPortMessages({ ...message, id: portId });
    await rig.sandbox.setFault({ kind, times: null });
    const { carriers } = await rig.parts.poll(HOSTED);
    expect(carriers).toEqual([
      {
        mvnoId: '2600hz',
        carrier: 'sprint',
        ...noCounts,
        alreadyRunning: false,
        hasMore: false,
        errors: [{ error, message: expect.stringContaining('sprint') }],
      },
    ]);
    await rig.sandbox.clearFaults();
    expect(totalOf(await poll())).toEqual({ ...noCounts, received: 1, applied: 1 });
  });

  it('does not let one carrier that fails keep the others from their turn', async () => {
    const { portId, mdn } = await rig.begin();
    const mvnos = rig.service.couch.database(databases.mvnos);
    const hosted = await mvnos.get('2600hz');
    const broken = { driver: 'http', url: 'http://127.0.0.1:9', timeout_ms: 100 };
    const carriers = { ...(hosted['carriers'] as object), broken };
    const saved = await mvnos.put({ ...hosted, carriers });
    try {
      const message = { direction: 'in', mdn, code: 'pending', timestamp: rig.at(1) } as const;
      await rig.sandbox.pushPortMessages({ ...message, id: portId });
      const result = await rig.parts.poll(HOSTED);
      expect(
        result.carriers.map(({ carrier, applied, errors }) => [carrier, applied, errors.length]),
      ).toEqual([
        ['broken', 0, 1],
        ['sprint', 1, 0],
      ]);
      const failed = rig.parts.pollRegularly(AbortSignal.timeout(10_000));
      await expect(failed).rejects.toMatchObject({
        code: 'bad_gateway',
        message: expect.stringMatching(/^2600hz\/broken: /),
      });
    } finally {
      await mvnos.put({ ...hosted, _rev: saved._rev });
    }
  });

  it('goes on behind the request for a number that leaves by way of another carrier', async () => {
    const { portId, mdn } = await rig.begin();
    const leaving = rig.nextMdn();
    const request = { direction: 'out', code: 'submitted', extended: 'initial_request' } as const;
    const first = { ...request, id: 'leaves-1', mdn: leaving, timestamp: rig.at(1) };
    await rig.sandbox.pushPortMessages(first);
    expect(totalOf(await poll())).toEqual({ ...noCounts, received: 1, applied: 1 });
    const ports = rig.service.couch.database(databases.ports);
    const [port] = await rig.parts.service.listOfNumber(leaving, {
      direction: 'out',
      clusterId: undefined,
      code: undefined,
    });
    const stored = await ports.get(port?.id ?? '');
    await ports.put({ ...stored, pvt_carrier_name: 'other' });
    await rig.sandbox.pushPortMessages(
      { ...first, id: 'leaves-2', timestamp: rig.at(2) },
      { direction: 'in', id: portId, mdn, code: 'pending', timestamp: rig.at(2) },
    );
    const result = await poll();
    expect(result.carriers.map(({ errors }) => errors)).toEqual([[]]);
    expect(totalOf(result)).toEqual({ ...noCounts, received: 2, applied: 1, refused: 1 });
    expect((await get(portId)).status.code).toBe('pending');
    expect((await rig.parts.listUnmatched())[0]?.messages.at(-1)).toMatchObject({
      id: 'leaves-2',
      reason: 'other_port',
    });
  });
});
