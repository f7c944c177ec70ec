import type { FaultInput } from '../../src/carriers/sandbox/wire.js';
import { failure } from '../support/envelope.js';
import { type Answer, CUSTOMER } from '../support/service.js';
import { openSupportRig, type SupportRig, type TestLine } from '../support/support-rig.js';

/** Short, because some faults are waited for until then. */
const CARRIER_TIMEOUT_MS = 1_000;

let rig: SupportRig;

beforeAll(async () => {
  rig = await openSupportRig({ service: { support: { carrierTimeoutMs: CARRIER_TIMEOUT_MS } } });
}, 30_000);
afterEach(() => rig.sandbox.clearFaults());
afterAll(() => rig?.stop());

interface Expected {
  readonly status: 502 | 503 | 504;
  readonly message: string;
  /** The sentence, or what it is like. */
  readonly text: unknown;
  readonly details?: object;
  /** Text of the header. */
  readonly retryAfter?: string;
}

function badAnswer(what: string): Expected {
  const text = `the carrier sprint gave a bad answer: ${what}`;
  return { status: 502, message: 'carrier_bad_answer', text };
}

const MALFORMED: Expected = {
  status: 502,
  message: 'carrier_bad_answer',
  text: expect.stringMatching(/^the carrier sprint gave a bad answer: malformed JSON/),
};

const TIMED_OUT: Expected = {
  status: 504,
  message: 'carrier_timeout',
  text: 'the carrier sprint did not answer in time',
};

function away(retryAfter: string): Expected {
  const text = 'the carrier sprint cannot be reached now';
  return { status: 503, message: 'carrier_unavailable', text, retryAfter };
}

const FAULTS: readonly (readonly [Omit<FaultInput, 'times'>, Expected])[] = [
  [{ kind: 'latency', latency_ms: 5_000 }, TIMED_OUT],
  [{ kind: 'hang' }, TIMED_OUT],
  [{ kind: 'reset' }, badAnswer('it broke off')],
  [{ kind: 'error' }, badAnswer('status 500')],
  [{ kind: 'error', status: 599 }, badAnswer('status 599')],
  [
    { kind: 'rejected' },
    {
      status: 502,
      message: 'carrier_rejected',
      text: 'the carrier sprint rejected the request',
      details: { carrier_status: 400, carrier_code: 'rejected' },
    },
  ],
  [{ kind: 'rate_limited', retry_after_s: 17 }, away('17')],
  [{ kind: 'unavailable', retry_after_s: 18 }, away('18')],
  [{ kind: 'unavailable' }, away('2')],
  [
    { kind: 'unauthorized' },
    {
      status: 502,
      message: 'carrier_auth',
      text: 'the carrier sprint does not take our credentials',
    },
  ],
  [{ kind: 'redirect' }, badAnswer('status 302')],
  [{ kind: 'truncated_json' }, MALFORMED],
  [{ kind: 'malformed_json' }, MALFORMED],
  [{ kind: 'wrong_content_type' }, badAnswer('it is not JSON by its type')],
  [{ kind: 'oversized' }, badAnswer('it is too large')],
];

/** How a line is asked for; each answers from the carrier alone when nothing goes wrong. */
const CALLS: readonly (readonly [string, (line: TestLine) => Promise<Answer>])[] = [
  ['a look-up', ({ mdn }) => rig.ask('POST', '/subscriptions/lookup', { data: { mdn } })],
  ['a number', ({ mdn }) => rig.ask('GET', `/phone_numbers/${mdn}/subscription`)],
  ['a device', ({ esn }) => rig.ask('GET', `/devices/${esn}/subscription`)],
  ['an import', ({ sim }) => importLine('subscriptions', { sim })],
  ['an import by device', ({ esn }) => importLine('devices', { esn })],
];

function importLine(what: 'subscriptions' | 'devices', data: object): Promise<Answer> {
  return rig.ask('PUT', `/accounts/${CUSTOMER}/${what}/import`, { data });
}

/** The answer says what went wrong, it stands in the log once, and nothing was written. */
async function expectFailure(call: () => Promise<Answer>, expected: Expected): Promise<void> {
  const { status, message, text, details } = expected;
  const before = await rig.revisions();
  const answer = await call();
  expect([answer.status, answer.body]).toEqual([
    status,
    failure(status, message, { message: text, ...details }),
  ]);
  expect(answer.headers['retry-after']).toBe(expected.retryAfter);
  expect(await rig.revisions()).toEqual(before);
  const lines = rig.service.logLines.map((each) => JSON.parse(each));
  const own = lines.filter((each) => each.request_id === answer.body.request_id);
  expect(own.map(({ level, message: what, status: said }) => [level, what, said])).toEqual([
    ['error', 'request failed', status],
    ['info', 'request', status],
  ]);
}

describe.each(CALLS)('%s', (name, call) => {
  it.each(FAULTS)('says what %j is', async (fault, expected) => {
    const line = await rig.makeLine();
    await rig.sandbox.setFault({ ...fault, times: null });
    await expectFailure(() => call(line), expected);
    await rig.sandbox.clearFaults();
    expect((await call(line)).status).toBe(name.startsWith('an import') ? 201 : 200);
  });

  it('believes no carrier that tells of another line', async () => {
    const line = await rig.makeLine();
    await rig.sandbox.setFault({ kind: 'wrong_line', times: null });
    await expectFailure(() => call(line), badAnswer('it is about another line'));
  });

  it('does not notice what a second try mends', async () => {
    const line = await rig.makeLine();
    await rig.takeJournal();
    await rig.sandbox.setFault({ kind: 'error' }, { kind: 'truncated_json' });
    expect((await call(line)).status).toBeLessThan(300);
    const asked = (await rig.takeJournal()).filter((each) => each === 'GET /v1/lines');
    expect(asked.length).toBe(3);
  });
});

describe('the make of a device', () => {
  it.each([
    [{ kind: 'hang' }, TIMED_OUT],
    [{ kind: 'reset' }, badAnswer('it broke off')],
    [{ kind: 'malformed_json' }, MALFORMED],
    [{ kind: 'rate_limited', retry_after_s: 9 }, away('9')],
  ] as readonly (readonly [FaultInput, Expected])[])(
    'keeps an import from being done where it meets %j',
    async (fault, expected) => {
      const { mdn } = await rig.makeLine();
      await rig.sandbox.setFault({ ...fault, path: '/v1/equipment', times: null });
      await expectFailure(() => importLine('subscriptions', { mdn }), expected);
      await rig.sandbox.clearFaults();
      expect((await importLine('subscriptions', { mdn })).status).toBe(201);
    },
  );
});

describe('what the carrier is not asked for', () => {
  it('works while the carrier fails', async () => {
    const line = await rig.makeLine();
    const { id } = (await importLine('subscriptions', { mdn: line.mdn })).body.data;
    await rig.sandbox.setFault({ kind: 'error', times: null });
    await rig.takeJournal();
    const path = `/accounts/${CUSTOMER}/subscriptions/${id}`;
    const devices = `/accounts/${CUSTOMER}/devices/${line.esn}`;
    const answers = [
      await rig.ask('GET', path),
      await rig.ask('GET', devices),
      await rig.ask('GET', `/phone_numbers/${line.mdn}/device`),
      await rig.ask('PATCH', path, { data: { plan: 'x' } }),
      await rig.ask('PATCH', devices, { data: { name: 'x' } }),
      await rig.ask('DELETE', `${path}?cascade=true`),
    ];
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200, 200]);
    expect(await rig.takeJournal()).toEqual([]);
  });
});

describe('a carrier that is not there', () => {
  it('is away, for reads and imports alike', async () => {
    const own = await openSupportRig({
      service: { support: { carrierTimeoutMs: CARRIER_TIMEOUT_MS } },
    });
    try {
      const { mdn } = await own.makeLine();
      await own.sandbox.kill();
      const before = await own.revisions();
      const path = `/accounts/${CUSTOMER}/subscriptions/import`;
      for (const [method, place] of [
        ['POST', '/subscriptions/lookup'],
        ['PUT', path],
      ] as const) {
        const answer = await own.ask(method, place, { data: { mdn } });
        expect([answer.status, answer.body.message, answer.headers['retry-after']]).toEqual([
          503,
          'carrier_unavailable',
          '2',
        ]);
      }
      expect(await own.revisions()).toEqual(before);
    } finally {
      await own.stop();
    }
  });
});
