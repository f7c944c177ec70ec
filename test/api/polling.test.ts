import { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { AppError } from '../../src/core/errors.js';
import { createLog } from '../../src/log.js';
import { createPolling, type PollingJob, pauseMs } from '../../src/polling.js';
import { newMetrics, readMetrics } from '../support/own-metrics.js';
import { startTestService, type TestService } from '../support/service.js';

const PATIENCE_MS = 10_000;

function collectInto(lines: string[]): Writable {
  return new Writable({
    write(chunk, _encoding, done) {
      lines.push(String(chunk));
      done();
    },
  });
}

test('a job that fails waits longer and longer, up to eight times its interval', () => {
  expect([0, 1, 2, 3, 4, 5, 99].map((failures) => pauseMs(10, failures) / 1000)).toEqual([
    10, 10, 20, 40, 80, 80, 80,
  ]);
});

describe('regular work', () => {
  let service: TestService;

  beforeAll(async () => {
    service = await startTestService();
  });
  afterAll(() => service.stop());

  /** Polls with a short interval, until `ended` is called. */
  function start(job: PollingJob, onRun?: (outcome: string) => void, random = 0.5) {
    const lines: string[] = [];
    const metrics = newMetrics();
    const ending = new AbortController();
    const polling = createPolling(
      {
        couch: service.couch,
        log: createLog({ level: 'debug', stream: collectInto(lines) }),
        now: Date.now,
        random: () => random,
        onRun: (run) => {
          metrics.onPollingRun(run);
          onRun?.(run.outcome);
        },
      },
      [job],
    );
    const running = polling.run(ending.signal);
    return {
      polling,
      metrics,
      log: () => lines.map((line) => JSON.parse(line)),
      async end() {
        ending.abort();
        await running;
      },
    };
  }

  async function until(isSo: () => boolean): Promise<void> {
    const giveUpAt = Date.now() + PATIENCE_MS;
    while (!isSo()) {
      if (Date.now() > giveUpAt) throw new Error('it did not happen in time');
      await sleep(20);
    }
  }

  it('is done again and again, until it is told to end', async () => {
    const runs: number[] = [];
    const run = async () => runs.push(Date.now());
    const { end, polling } = start({ name: 'counted', intervalS: 0.05, run });
    await until(() => runs.length >= 3);
    await end();
    expect(polling.listWarnings()).toEqual([]);
    const before = runs.length;
    await sleep(200);
    expect(runs).toHaveLength(before);
  });

  it(
    'is done soon after a start, however long its interval, and not again by the next start',
    async () => {
      let runs = 0;
      const run = async () => {
        runs += 1;
      };
      const outcomes: string[] = [];
      for (const count of [1, 2]) {
        const job = { name: 'slow', intervalS: 86_400, run };
        const { end } = start(job, (outcome) => outcomes.push(outcome), 0);
        await until(() => outcomes.length === count);
        await end();
      }
      expect([outcomes, runs]).toEqual([['ok', 'skipped'], 1]);
    },
    3 * PATIENCE_MS,
  );

  it('is not done at all with an interval of 0', async () => {
    const runs: number[] = [];
    const run = async () => runs.push(Date.now());
    const { end } = start({ name: 'never', intervalS: 0, run });
    await sleep(200);
    await end();
    expect(runs).toEqual([]);
  });

  it('tells of repeated failure in words, log and metrics, and of its end', async () => {
    let isBroken = true;
    const outcomes: string[] = [];
    const job: PollingJob = {
      name: 'broken',
      intervalS: 0.05,
      run: async () => {
        if (isBroken) throw new AppError('bad_gateway', 'the carrier is on fire');
      },
    };
    const { end, polling, log, metrics } = start(job, (outcome) => outcomes.push(outcome));
    const counted = () => outcomes.filter((outcome) => outcome === 'failed').length;
    await until(() => counted() === 1);
    expect(polling.listWarnings()).toEqual([]);
    await until(() => counted() === 3);
    expect(polling.listWarnings()).toEqual([
      expect.stringMatching(
        /^polling of broken failed 3 times since \d{4}-.+Z: the carrier is on fire$/,
      ),
    ]);
    const gauge = async () =>
      (await readMetrics(metrics)).find(
        ({ name }) => name === 'telcouch_poll_consecutive_failures',
      );
    expect(await gauge()).toMatchObject({ labels: { job: 'broken' }, value: 3 });
    isBroken = false;
    await until(() => outcomes.includes('ok'));
    expect(polling.listWarnings()).toEqual([]);
    expect(await gauge()).toMatchObject({ value: 0 });
    await end();
    const told = log().map(({ level, message, failures }) => [level, message, failures]);
    expect(told).toEqual([
      ['warn', 'polling failed', 1],
      ['warn', 'polling failed', 2],
      ['error', 'polling keeps failing', 2],
      ['warn', 'polling failed', 3],
      ['info', 'polling works again', 3],
    ]);
    expect(log()[0]).toMatchObject({ job: 'broken', error: { message: 'the carrier is on fire' } });
  });

  it('is done by one process at a time, and no more often by many', async () => {
    let running = 0;
    let most = 0;
    let runs = 0;
    const job: PollingJob = {
      name: 'shared',
      intervalS: 0.3,
      run: async () => {
        running += 1;
        runs += 1;
        most = Math.max(most, running);
        await sleep(100);
        running -= 1;
      },
    };
    const startedAt = Date.now();
    const all = [start(job), start(job), start(job), start(job)];
    await until(() => runs >= 4);
    const elapsedMs = Date.now() - startedAt;
    await Promise.all(all.map(({ end }) => end()));
    expect(most).toBe(1);
    // Each run is due again when most of the interval is over since the one before has ended.
    expect(runs).toBeLessThanOrEqual(1 + elapsedMs / (300 * 0.8));
  });

  it('knows of failures before it was started, and of those of other processes', async () => {
    const failing = { name: 'known', intervalS: 0.05 };
    const fail = () => Promise.reject(new AppError('unavailable', 'away'));
    const outcomes: string[] = [];
    const first = start({ ...failing, run: fail }, (outcome) => outcomes.push(outcome));
    await until(() => outcomes.length >= 2);
    await first.end();
    const second = start({ ...failing, run: fail });
    await until(() => second.polling.listWarnings().length > 0);
    await second.end();
    expect(second.polling.listWarnings()[0]).toMatch(/^polling of known failed \d+ times since /);
  });
});
