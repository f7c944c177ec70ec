import fc from 'fast-check';
import {
  codesOf,
  forcedTimestamp,
  isFinished,
  judgeMessage,
  listStatusFaults,
  type PortDirection,
  type PortStatus,
} from '../../src/resources/ports/ports.status.js';

const claim = (code: string, source: string, extended?: string) => ({ code, source, extended });
const pathsOf = (direction: PortDirection, ...parts: [string, string, string?]) =>
  listStatusFaults(direction, claim(...parts)).map(({ path, rule }) => `${path.join('.')} ${rule}`);

describe('a status of a port', () => {
  test.each([
    ['in', 'submitted', 'top', 'request_sent'],
    ['in', 'submitted', 'top', 'update_sent'],
    ['in', 'submitted', 'top', 'cancel_sent'],
    ['in', 'submitted', 'top', undefined],
    ['in', 'rejected', 'carrier', 'sp_network_issue'],
    ['in', 'rejected', 'carrier', 'A-reason.nobody_has-listed9'],
    ['in', 'rejected', 'carrier', undefined],
    ['in', 'pending', 'carrier', undefined],
    ['in', 'scheduled', 'carrier', undefined],
    ['in', 'canceled', 'carrier', undefined],
    ['in', 'completed', 'carrier', undefined],
    ['out', 'submitted', 'carrier', 'initial_request'],
    ['out', 'submitted', 'carrier', 'updated_request'],
    ['out', 'confirmed', 'top', undefined],
    ['out', 'delayed', 'top', 'scheduling_issue'],
    ['out', 'rejected', 'top', 'sp_heavy_load'],
    ['out', 'canceled', 'carrier', undefined],
    ['out', 'completed', 'carrier', undefined],
  ] as const)('%s %s of %s with %s is right', (direction, code, source, extended) => {
    expect(listStatusFaults(direction, claim(code, source, extended))).toEqual([]);
  });

  test.each([
    ['in', 'confirmed', 'top', undefined, ['code enum']],
    ['in', 'cancelled', 'carrier', undefined, ['code enum']],
    ['in', 'constructor', 'me', undefined, ['code enum', 'source enum']],
    ['in', 'completed', 'top', undefined, ['source enum']],
    ['in', 'submitted', 'carrier', 'initial_request', ['source enum', 'extended enum']],
    ['in', 'completed', 'carrier', 'sp_system_down', ['extended invalid']],
    ['in', 'rejected', 'carrier', '', ['extended pattern']],
    ['in', 'rejected', 'carrier', 'a reason', ['extended pattern']],
    ['in', 'rejected', 'top', 'x'.repeat(65), ['source enum', 'extended pattern']],
    ['out', 'pending', 'carrier', undefined, ['code enum']],
    ['out', 'delayed', 'carrier', undefined, ['source enum']],
    ['out', 'confirmed', 'top', 'yes', ['extended invalid']],
  ] as const)('%s %s of %s with %s has faults', (direction, code, source, extended, faults) => {
    expect(pathsOf(direction, code, source, extended)).toEqual(faults);
  });

  test('says which source a code needs', () => {
    expect(listStatusFaults('in', claim('scheduled', 'top'))).toEqual([
      {
        path: ['source'],
        rule: 'enum',
        message: 'Value not found in enumerated list of values',
        details: { target: ['carrier'], value: 'top' },
      },
    ]);
  });
});

/** A port as far as its messages are concerned. */
interface Judged {
  readonly direction: PortDirection;
  readonly status: PortStatus;
  readonly seenMessages: readonly string[];
}

interface Message {
  readonly id: string;
  readonly code: string;
  readonly timestamp: number;
}

const START = 63_900_000_000;
const submitted: Judged = {
  direction: 'in',
  status: { code: 'submitted', source: 'top', timestamp: START },
  seenMessages: [],
};

/** The message applied as the service does, if it is to be; `seenMax` ids are remembered. */
function deliver(port: Judged, message: Message, seenMax = 100): Judged {
  if (judgeMessage(port, message) !== 'apply') return port;
  const status = { code: message.code, source: 'carrier', timestamp: message.timestamp };
  return { ...port, status, seenMessages: [...port.seenMessages, message.id].slice(-seenMax) };
}

describe('a message of a carrier', () => {
  const standing = (code: string, timestamp: number, id = 'first'): Judged => ({
    direction: 'in',
    status: { code, source: 'carrier', timestamp },
    seenMessages: [id],
  });

  test.each([
    ['later', standing('pending', START), 'scheduled', START + 1, 'apply'],
    ['earlier', standing('scheduled', START), 'pending', START - 1, 'late'],
    ['of the same second and further on', standing('pending', START), 'scheduled', START, 'apply'],
    ['of the same second and further back', standing('scheduled', START), 'pending', START, 'late'],
    ['of the same second and the same code', standing('pending', START), 'pending', START, 'late'],
    ['to a completed port', standing('completed', START), 'canceled', START + 9, 'late'],
    ['to a canceled port', standing('canceled', START), 'completed', START + 9, 'late'],
    ['after a rejection', standing('rejected', START), 'pending', START + 1, 'apply'],
  ])('%s', (_, port, code, timestamp, verdict) => {
    expect(judgeMessage(port, { id: 'second', code, timestamp })).toBe(verdict);
  });

  test('that came before is a duplicate, whatever happened since', () => {
    const again = { id: 'first', code: 'pending', timestamp: START };
    expect(judgeMessage(standing('scheduled', START + 5), again)).toBe('duplicate');
    expect(judgeMessage(standing('completed', START + 5), again)).toBe('duplicate');
  });

  test('may come from a clock that is a minute behind ours, but only as the first answer', () => {
    const pending = (id: string, timestamp: number) => ({ id, code: 'pending', timestamp });
    expect(judgeMessage(submitted, pending('a', START - 60))).toBe('apply');
    expect(judgeMessage(submitted, pending('a', START - 61))).toBe('late');
    const answered = deliver(submitted, pending('a', START - 30));
    expect(judgeMessage(answered, pending('b', START - 31))).toBe('late');
  });

  test('never takes back what people have set, and may go on from there', () => {
    const forced: Judged = {
      direction: 'in',
      status: { code: 'rejected', source: 'carrier', timestamp: START, forced_update: true },
      seenMessages: [],
    };
    const message = (timestamp: number) => ({ id: 'a', code: 'pending', timestamp });
    expect(judgeMessage(forced, message(START - 1))).toBe('late');
    expect(judgeMessage(forced, message(START + 1))).toBe('apply');
  });

  test('has its effect once, though nothing of it is remembered', () => {
    const message = fc.record({
      id: fc.string({ minLength: 1, maxLength: 3 }),
      code: fc.constantFrom(...codesOf('in')),
      timestamp: fc.integer({ min: START - 50, max: START + 50 }),
    });
    const once = fc.uniqueArray(message, { maxLength: 30, selector: ({ id }) => id });
    fc.assert(
      fc.property(once, (messages) => {
        let port = submitted;
        for (const [n, each] of messages.entries()) {
          port = deliver(port, each, 1);
          for (const earlier of messages.slice(0, n + 1)) {
            expect(deliver(port, earlier, 1)).toBe(port);
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  test('of many ends in the same status, in whatever order and however often they come', () => {
    const way: Message[] = [
      { id: 'a', code: 'pending', timestamp: START + 1 },
      { id: 'b', code: 'rejected', timestamp: START + 2 },
      { id: 'c', code: 'pending', timestamp: START + 3 },
      { id: 'd', code: 'scheduled', timestamp: START + 3 },
    ];
    const deliveries = fc
      .array(fc.constantFrom(...way), { maxLength: 20 })
      .chain((more) =>
        fc.shuffledSubarray([...way, ...more], { minLength: way.length + more.length }),
      );
    fc.assert(
      fc.property(deliveries, (messages) => {
        const port = messages.reduce((before, each) => deliver(before, each), submitted);
        expect(port.status).toEqual({ code: 'scheduled', source: 'carrier', timestamp: START + 3 });
      }),
      { numRuns: 300 },
    );
  });
});

test('completed and canceled ports are finished, all others are not', () => {
  expect(codesOf('in').filter((code) => isFinished({ code }))).toEqual(['canceled', 'completed']);
  expect(codesOf('out').filter((code) => isFinished({ code }))).toEqual(['canceled', 'completed']);
});

test('what people set is behind what was there, even by a clock that is ahead of ours', () => {
  const status = { code: 'pending', source: 'carrier', timestamp: START + 30 };
  expect(forcedTimestamp(status, START)).toBe(START + 31);
  expect(forcedTimestamp(status, START + 40)).toBe(START + 40);
});
