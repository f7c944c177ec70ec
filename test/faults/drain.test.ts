import { setTimeout as sleep } from 'node:timers/promises';
import { databases } from '../../src/couch/databases.js';
import { CUSTOMER, startTestService, type TestService } from '../support/service.js';
import {
  type Exit,
  type ServiceProcess,
  sharedStoreEnv,
  startServiceProcess,
} from '../support/service-process.js';
import { type KeepAliveCaller, openCaller, sendHalf } from './keep-alive-caller.js';

const CALLERS = 32;
/** Contract: a service that was told to end is gone by then. */
const GONE_MS = 10_000;
const ASSIGNED = `/v2/accounts/${CUSTOMER}/ips/assigned`;

function ipData(ip: string) {
  return { ip, zone: 'drain', host: 'drain.example.com' };
}

/** The service's end and how long it took from now on. */
async function timed(exited: Promise<Exit>): Promise<Exit & { ms: number }> {
  const startedAt = performance.now();
  return { ...(await exited), ms: performance.now() - startedAt };
}

describe('a service that is told to end', () => {
  let service: TestService;
  let token: string;
  const processes: ServiceProcess[] = [];
  const callers: KeepAliveCaller[] = [];
  let stubborn: Promise<Exit & { ms: number }>;

  beforeAll(async () => {
    service = await startTestService();
    token = await service.tokenOf(1);
    // This takes as long as the service's patience, so it happens beside the other tests.
    const { process, url } = await start();
    await sendHalf(url, '/v2/ips', token, ipData('10.3.9.1'));
    process.signal('SIGTERM');
    stubborn = timed(process.exited);
  });
  afterAll(async () => {
    for (const caller of callers) caller.close();
    await Promise.all(processes.map((each) => each.stop()));
    await service.stop();
  });

  async function start() {
    const process = await startServiceProcess({ env: sharedStoreEnv(service) });
    processes.push(process);
    const url = await process.ready();
    // The first request loads what later ones find in memory.
    expect((await process.call('GET', ASSIGNED, { token })).status).toBe(200);
    return { process, url };
  }

  function open(url: string): KeepAliveCaller {
    const caller = openCaller(url, token);
    callers.push(caller);
    return caller;
  }

  /**
   * Callers that never pause, each on a connection of its own. A connection may end in two ways
   * that a client cannot take for a failure: an answer says `connection: close`, or a new
   * connection is refused. What is sent on an open connection must be answered in full: a caller
   * that never idles cannot meet the moment in which a server closes an idle connection.
   */
  it('fails no request that it accepted, under load', async () => {
    const { process, url } = await start();
    const failures: string[] = [];
    const acknowledged: string[] = [];
    let answers = 0;
    const answered = new Set<number>();

    async function callUntilRefused(n: number): Promise<void> {
      const caller = open(url);
      for (let round = 0; ; round += 1) {
        const ip = `10.${100 + n}.${Math.floor(round / 200)}.${round % 200}`;
        const isWrite = round % 3 === 0;
        try {
          const answer = isWrite
            ? await caller.ask('PUT', '/v2/ips', { data: ipData(ip) })
            : await caller.ask('GET', ASSIGNED);
          answers += 1;
          answered.add(n);
          const isWhole = JSON.parse(answer.body).status === 'success';
          if (!isWhole || answer.status >= 300) failures.push(answer.body);
          else if (isWrite) acknowledged.push(ip);
        } catch (error) {
          const { code } = error as NodeJS.ErrnoException;
          if (code !== 'ECONNREFUSED') failures.push(`${n}/${round}: ${code} ${error}`);
          return;
        }
      }
    }

    const all = Array.from({ length: CALLERS }, (_, n) => callUntilRefused(n));
    // A connection that the kernel has taken and the service has not yet seen is nobody's promise.
    while (answered.size < CALLERS) await sleep(10);
    await sleep(1000);
    const answersBefore = answers;
    process.signal('SIGTERM');
    const exit = await timed(process.exited);
    await Promise.all(all);
    expect(failures).toEqual([]);
    expect(answersBefore).toBeGreaterThan(CALLERS);
    // Everybody's request was under way when the signal came, and has been answered since.
    expect(answers - answersBefore).toBeGreaterThanOrEqual(CALLERS);
    expect(exit).toMatchObject({ code: 0, signal: null });
    expect(exit.ms).toBeLessThan(GONE_MS);
    const stored = await service.couch.database(databases.dedicatedIps).findMany(acknowledged);
    expect(stored.size).toBe(acknowledged.length);
  });

  it('says that it drains, finishes what runs and answers on open connections', async () => {
    const { process, url } = await start();
    const [ready, live, api, late] = [open(url), open(url), open(url), open(url)];
    for (const caller of [ready, live, api, late]) {
      expect((await caller.ask('GET', '/live')).headers['connection']).toBe('keep-alive');
    }
    const half = await sendHalf(url, '/v2/ips', token, ipData('10.3.1.1'));
    process.signal('SIGTERM');
    await process.logged('draining');

    const [notReady, stillLive, served] = await Promise.all([
      ready.ask('GET', '/ready'),
      live.ask('GET', '/live'),
      api.ask('GET', ASSIGNED),
    ]);
    expect([notReady.status, JSON.parse(notReady.body)]).toEqual([
      503,
      { status: 'not ready', faults: ['draining'] },
    ]);
    expect(notReady.headers['retry-after']).toBe('2');
    expect([stillLive.status, JSON.parse(stillLive.body)]).toEqual([200, { status: 'live' }]);
    expect(served.status).toBe(200);
    for (const answer of [notReady, stillLive, served]) {
      expect(answer.headers['connection']).toBe('close');
    }
    await expect(process.call('GET', '/live')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    await sleep(300);
    expect((await late.ask('GET', '/live')).status).toBe(200);

    const answer = await half.finish();
    expect(answer).toMatch(/^HTTP\/1\.1 201 Created\r\n/);
    expect(answer).toContain('"id":"10.3.1.1"');
    expect(await process.exited).toEqual({ code: 0, signal: null });
    expect(await service.couch.database(databases.dedicatedIps).find('10.3.1.1')).toBeDefined();
  });

  it('is not held up by connections on which nothing happens', async () => {
    const { process, url } = await start();
    for (let n = 0; n < 5; n += 1) await open(url).ask('GET', '/live');
    process.signal('SIGTERM');
    const exit = await timed(process.exited);
    expect(exit).toMatchObject({ code: 0, signal: null });
    expect(exit.ms).toBeLessThan(5000);
  });

  it('ends at once when it is told twice', async () => {
    const { process, url } = await start();
    const half = await sendHalf(url, '/v2/ips', token, ipData('10.3.2.1'));
    process.signal('SIGTERM');
    await process.logged('draining');
    process.signal('SIGTERM');
    const exit = await timed(process.exited);
    expect(exit).toMatchObject({ code: 130, signal: null });
    expect(exit.ms).toBeLessThan(1000);
    half.destroy();
  });

  it('cuts a request that never ends, in time to be gone within ten seconds', async () => {
    const exit = await stubborn;
    expect(exit).toMatchObject({ code: 0, signal: null });
    expect(exit.ms).toBeLessThan(GONE_MS);
    expect(processes[0]?.log.map(({ message }) => message)).toContain(
      'requests were still running; they are cut',
    );
  });
});
