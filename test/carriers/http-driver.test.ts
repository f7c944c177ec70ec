import { createServer } from 'node:net';
import type { Carrier } from '../../src/core/carrier.js';
import { runOperation } from '../../src/core/operation.js';
import { type CarrierSandbox, startSandbox } from '../support/carrier-sandbox.js';
import { describeDriver, errorOf, readWhole } from './driver-contract.js';
import { openCarrier, openSandboxCarrier, TIMEOUT_MS } from './own-carrier.js';

const MDN = '+14157487153';
const LINE = {
  mdn: MDN,
  esn: 'A10000009296F2',
  plan: '260PLAN1',
  features: ['sip', 'mms'],
  carrier_data: { msid: '000004156375241', csa: 'SFRSFR415' },
  activation_date: 63746871056,
};
const SIM_LINE = { mdn: '+14155550143', sim: '89148000000745809021', suspended: true };
const TOLD = {
  mdn: MDN,
  esn: 'A10000009296F2',
  sim: null,
  imsi: null,
  plan: '260PLAN1',
  features: ['sip', 'mms'],
  carrierData: { msid: '000004156375241', csa: 'SFRSFR415' },
  activationDate: 63746871056,
  suspended: false,
};
const TOLD_SIM = {
  mdn: '+14155550143',
  esn: null,
  sim: '89148000000745809021',
  imsi: null,
  plan: null,
  features: [],
  carrierData: {},
  activationDate: null,
  suspended: true,
};
const MODEL = { name: 'SAMSUNG L300 HANDSET KIT', number: 'SPHL300KTS', manufacturer: 'SAMSUNG' };
const USAGE = 'session_id,record_type,start,end,mdn,imsi,iccid,bytes\r\n';

let sandbox: CarrierSandbox;
let carrier: Carrier;
let close: () => Promise<void>;

beforeAll(async () => {
  sandbox = await startSandbox();
  await sandbox.addLine(LINE, SIM_LINE);
  await sandbox.addEquipment({ esn: LINE.esn, model: MODEL, msl: '104729' });
  await sandbox.pushPortMessages(
    {
      id: 'm1',
      direction: 'in',
      port_id: 'p1',
      mdn: MDN,
      code: 'pending',
      timestamp: 63_900_000_000,
    },
    { id: 'm2', direction: 'in', mdn: MDN, code: 'scheduled', timestamp: 63_900_000_100 },
    {
      id: 'm3',
      direction: 'out',
      mdn: '+14155550143',
      code: 'delayed',
      extended: 'sp_network_issue',
      source: 'top',
      timestamp: 63_900_000_050,
    },
  );
  await sandbox.addUsageFile('a.csv', USAGE);
  await sandbox.addUsageFile('b.csv', `${USAGE}s1,final,x,y,${MDN},,,12\r\n`);
  ({ carrier, close } = await openSandboxCarrier(sandbox));
});
afterAll(async () => {
  await close?.();
  await sandbox?.stop();
});
afterEach(async () => {
  await sandbox.clearFaults();
  await sandbox.clearJournal();
});

describeDriver('http, at the sandbox', async () => ({
  carrier,
  lines: [TOLD, TOLD_SIM],
  equipment: { esn: LINE.esn, told: { model: MODEL, msl: '104729' } },
  messages: [
    {
      id: 'm1',
      direction: 'in',
      portId: 'p1',
      mdn: MDN,
      code: 'pending',
      source: 'carrier',
      timestamp: 63_900_000_000,
    },
    {
      id: 'm2',
      direction: 'in',
      mdn: MDN,
      code: 'scheduled',
      source: 'carrier',
      timestamp: 63_900_000_100,
    },
    {
      id: 'm3',
      direction: 'out',
      mdn: '+14155550143',
      code: 'delayed',
      extended: 'sp_network_issue',
      source: 'top',
      timestamp: 63_900_000_050,
    },
  ],
  files: [
    { name: 'a.csv', content: USAGE },
    { name: 'b.csv', content: `${USAGE}s1,final,x,y,${MDN},,,12\r\n` },
  ],
  unknown: { mdn: '+14155550199', esn: '2DF812CA', sim: '89000000000000000000' },
}));

const ALWAYS = { times: null } as const;

describe('what a lookup becomes when the carrier fails every time', () => {
  test.each([
    ['error', 'bad_gateway', 'carrier_bad_answer', 3],
    ['reset', 'bad_gateway', 'carrier_bad_answer', 3],
    ['truncated_json', 'bad_gateway', 'carrier_bad_answer', 3],
    ['malformed_json', 'bad_gateway', 'carrier_bad_answer', 3],
    ['wrong_content_type', 'bad_gateway', 'carrier_bad_answer', 3],
    ['oversized', 'bad_gateway', 'carrier_bad_answer', 3],
    ['wrong_line', 'bad_gateway', 'carrier_bad_answer', 3],
    ['redirect', 'bad_gateway', 'carrier_bad_answer', 3],
    ['rejected', 'bad_gateway', 'carrier_rejected', 1],
    ['unauthorized', 'bad_gateway', 'carrier_auth', 1],
    ['rate_limited', 'unavailable', 'carrier_unavailable', 3],
    ['unavailable', 'unavailable', 'carrier_unavailable', 3],
    ['hang', 'gateway_timeout', 'carrier_timeout', 1],
  ] as const)('%s is %s, %s', async (kind, code, reason, tries) => {
    await sandbox.setFault({ kind, ...ALWAYS });
    const error = await errorOf(carrier.lookup({ mdn: MDN }));
    expect([error.code, error.reason]).toEqual([code, reason]);
    const asked = (await sandbox.journal()).map(({ method, path }) => `${method} ${path}`);
    expect(asked).toEqual(Array.from({ length: tries }, () => 'GET /v1/lines'));
  });

  test('a rejection tells the status and word of the carrier, and no number', async () => {
    await sandbox.setFault({ kind: 'rejected' });
    const error = await errorOf(carrier.lookup({ mdn: MDN }));
    expect(error.details).toEqual({ carrier_status: 400, carrier_code: 'rejected' });
    expect(error.message).toBe('the carrier sprint rejected the request');
  });
});

describe('reads', () => {
  test.each(['error', 'reset', 'truncated_json', 'rate_limited', 'wrong_line'] as const)(
    'are tried again after a passing fault: %s',
    async (kind) => {
      await sandbox.setFault({ kind, times: 2 });
      await expect(carrier.lookup({ mdn: MDN })).resolves.toEqual(TOLD);
      expect((await sandbox.journal()).map(({ fault }) => fault)).toEqual([kind, kind, null]);
    },
  );

  test('wait as long as the carrier says when there is time for it', async () => {
    await sandbox.setFault({ kind: 'unavailable', retry_after_s: 1 });
    await expect(carrier.lookup({ mdn: MDN })).resolves.toEqual(TOLD);
    const [first, second] = (await sandbox.journal()).map(({ at }) => Date.parse(at));
    expect((second ?? 0) - (first ?? 0)).toBeGreaterThanOrEqual(990);
  });

  test('are not tried again when the carrier wants longer than there is time', async () => {
    await sandbox.setFault({ kind: 'rate_limited', retry_after_s: 60, ...ALWAYS });
    const error = await errorOf(carrier.lookup({ mdn: MDN }));
    expect(error).toMatchObject({ code: 'unavailable', retryAfterS: 60 });
    expect(await sandbox.journal()).toHaveLength(1);
  });

  test('end by the deadline of the operation they run for', async () => {
    await sandbox.setFault({ kind: 'latency', latency_ms: TIMEOUT_MS - 500 });
    const operation = { requestId: 'r-deadline', deadlineAt: Date.now() + 200 };
    const error = await errorOf(runOperation(operation, async () => carrier.lookup({ mdn: MDN })));
    expect([error.code, error.reason]).toEqual(['gateway_timeout', 'carrier_timeout']);
  });

  test('of an operation whose time is up do not reach the carrier', async () => {
    const operation = { requestId: 'r-late', deadlineAt: Date.now() - 1 };
    const error = await errorOf(runOperation(operation, async () => carrier.lookup({ mdn: MDN })));
    expect(error.code).toBe('gateway_timeout');
    expect(await sandbox.journal()).toEqual([]);
  });

  test('are not bothered by a carrier that is only slow', async () => {
    await sandbox.setFault({ kind: 'latency', latency_ms: 300 });
    await expect(carrier.lookup({ mdn: MDN })).resolves.toEqual(TOLD);
  });

  test('tell the carrier the id of the request they are part of', async () => {
    await runOperation({ requestId: 'r-1234' }, async () => carrier.health());
    expect((await sandbox.journal()).map((entry) => entry.request_id)).toEqual(['r-1234']);
  });
});

describe('acknowledgements', () => {
  test.each(['error', 'reset', 'rate_limited'] as const)(
    'are sent once, also on %s',
    async (kind) => {
      await sandbox.setFault({ kind, ...ALWAYS });
      await expect(carrier.ackPortMessages(['m2'])).rejects.toMatchObject({
        reason: kind === 'rate_limited' ? 'carrier_unavailable' : 'carrier_bad_answer',
      });
      expect(await sandbox.journal()).toHaveLength(1);
    },
  );
});

describe('port messages', () => {
  test('come doubled or out of order, and the cursor still moves on', async () => {
    const plain = await carrier.fetchPortMessages(undefined, 10);
    await sandbox.setFault({ kind: 'duplicated_messages' }, { kind: 'reordered_messages' });
    const doubled = await carrier.fetchPortMessages(undefined, 10);
    const reordered = await carrier.fetchPortMessages(undefined, 10);
    expect(doubled.messages).toEqual(plain.messages.flatMap((each) => [each, each]));
    expect(reordered.messages).toEqual([...plain.messages].reverse());
    expect([doubled.cursor, reordered.cursor]).toEqual([plain.cursor, plain.cursor]);
  });
});

describe('usage files', () => {
  test.each([
    ['reset', 'bad_gateway', 'carrier_bad_answer'],
    ['truncated_json', 'bad_gateway', 'carrier_bad_answer'],
    ['wrong_content_type', 'bad_gateway', 'carrier_bad_answer'],
    ['rejected', 'bad_gateway', 'carrier_rejected'],
    ['unavailable', 'unavailable', 'carrier_unavailable'],
    ['hang', 'gateway_timeout', 'carrier_timeout'],
  ] as const)('fail on %s as %s, %s', async (kind, code, reason) => {
    await sandbox.setFault({ kind, ...ALWAYS });
    const error = await errorOf(readWhole(carrier.openUsageFile('b.csv')));
    expect([error.code, error.reason]).toEqual([code, reason]);
  });

  test('are opened again after a passing fault', async () => {
    await sandbox.setFault({ kind: 'error', times: 2 });
    expect(await readWhole(carrier.openUsageFile('a.csv'))).toBe(USAGE);
  });

  test('hold interim records beside the final ones when the carrier is so', async () => {
    await sandbox.setFault({ kind: 'interim_records' });
    const text = await readWhole(carrier.openUsageFile('b.csv'));
    const interim = `s1,interim,x,y,${MDN},,,6\r\n`;
    expect(text).toBe(`${USAGE}${interim}s1,final,x,y,${MDN},,,12\r\n${interim}`);
  });

  test('of a name that would lead elsewhere are not asked for', async () => {
    const error = await errorOf(readWhole(carrier.openUsageFile('../lines')));
    expect(error.reason).toBe('carrier_bad_answer');
    expect(await sandbox.journal()).toEqual([]);
  });

  test('can be left in the middle', async () => {
    const rows = `s,final,x,y,${MDN},,,1\r\n`.repeat(200_000);
    await sandbox.addUsageFile('large.csv', USAGE + rows);
    for await (const chunk of carrier.openUsageFile('large.csv')) {
      expect(chunk.subarray(0, 10).toString()).toBe('session_id');
      break;
    }
    expect((await readWhole(carrier.openUsageFile('large.csv'))).length).toBe(
      USAGE.length + rows.length,
    );
  });
});

describe('a carrier that is not there', () => {
  test('is unavailable', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as { port: number };
    await new Promise((resolve) => server.close(resolve));
    const gone = await openCarrier({ url: `http://127.0.0.1:${port}`, apiKey: 'k'.repeat(16) });
    const error = await errorOf(gone.carrier.lookup({ mdn: MDN }));
    expect([error.code, error.reason]).toEqual(['unavailable', 'carrier_unavailable']);
    await gone.close();
  });

  test('takes no wrong key, and no error has the key in it', async () => {
    const key = 'a-key-that-nobody-knows-0123456789';
    const stranger = await openCarrier({ url: sandbox.url, apiKey: key });
    const error = await errorOf(stranger.carrier.health());
    expect([error.code, error.reason]).toEqual(['bad_gateway', 'carrier_auth']);
    expect(JSON.stringify([error.message, error.details, String(error.cause)])).not.toContain(key);
    await stranger.close();
  });
});
