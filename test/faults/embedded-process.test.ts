import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { demoKey } from '../support/service.js';
import { type ServiceProcess, startServiceProcess } from '../support/service-process.js';

const GONE_MS = 5000;

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    // Nobody to send a signal to.
    return false;
  }
}

async function hasGone(pid: number): Promise<boolean> {
  for (const startedAt = Date.now(); Date.now() - startedAt < GONE_MS; await sleep(50)) {
    if (!isAlive(pid)) return true;
  }
  return false;
}

describe('a service with the embedded store', () => {
  let dataDir: string;
  let service: ServiceProcess;
  let token: string;
  const started: ServiceProcess[] = [];
  const acknowledged: string[] = [];

  beforeAll(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'telcouch-embedded-'));
    await restart();
  });
  afterAll(async () => {
    await Promise.all(started.map((each) => each.stop()));
    await rm(dataDir, { recursive: true, force: true, maxRetries: 5 });
  });

  async function start(env: Record<string, string> = {}): Promise<ServiceProcess> {
    const one = await startServiceProcess({ dataDir, env });
    started.push(one);
    return one;
  }

  async function restart(): Promise<void> {
    service = await start();
    await service.ready();
    const body = { data: { api_key: demoKey(1) } };
    token = (await service.call('PUT', '/v2/api_auth', { body })).body.auth_token;
  }

  async function storePid(): Promise<number> {
    const { pid } = JSON.parse(await readFile(join(dataDir, 'embedded-running.json'), 'utf8'));
    expect(isAlive(pid)).toBe(true);
    return pid;
  }

  /** Adds addresses until the service is gone; those that were acknowledged are remembered. */
  async function addIpsWhileItLives(network: string): Promise<void> {
    for (let n = 1; n < 250; n += 1) {
      const ip = `${network}.${n}`;
      const body = { data: { ip, zone: 'kept', host: 'kept.example.com' } };
      const answer = await service.call('PUT', '/v2/ips', { token, body }).catch(() => undefined);
      if (answer?.status === 201) acknowledged.push(ip);
      else if (service.hasEnded()) return;
    }
  }

  async function expectAllKept(): Promise<void> {
    const path = '/v2/ips?zone=kept&quantity=1000';
    const answer = await service.call('GET', path, { token });
    const kept = answer.body.data.map(({ ip }: { ip: string }) => ip);
    expect(acknowledged.filter((ip) => !kept.includes(ip))).toEqual([]);
  }

  it('keeps a second service off its data folder, and says why', async () => {
    const second = await start();
    expect(await second.exited).toEqual({ code: 1, signal: null });
    const line = JSON.stringify(await second.logged('the service could not run'));
    expect(line).toContain(`the data folder ${dataDir} is in use by process ${await storePid()}`);
    expect((await service.call('GET', '/ready')).status).toBe(200);
  });

  it('keeps a second service off its port, and says why', async () => {
    const { port } = new URL(await service.ready());
    const second = await start({ PORT: port });
    expect(await second.exited).toEqual({ code: 1, signal: null });
    const line = JSON.stringify(await second.logged('the service could not run'));
    expect(line).toContain(`port ${port} on 127.0.0.1 is in use`);
    expect((await service.call('GET', '/ready')).status).toBe(200);
  });

  it('leaves no store behind when it is killed, and nothing acknowledged is lost', async () => {
    const store = await storePid();
    const adding = addIpsWhileItLives('10.4.1');
    await sleep(300);
    await service.kill();
    await adding;
    expect(await hasGone(store)).toBe(true);
    expect(acknowledged.length).toBeGreaterThan(3);
    await restart();
    await expectAllKept();
  });

  it('ends with an error when its store dies, and nothing acknowledged is lost', async () => {
    const before = acknowledged.length;
    const adding = addIpsWhileItLives('10.4.2');
    await sleep(300);
    process.kill(await storePid(), 'SIGKILL');
    expect(await service.exited).toEqual({ code: 1, signal: null });
    expect(await service.logged('the embedded store ended')).toMatchObject({
      level: 'error',
      signal: 'SIGKILL',
    });
    await adding;
    expect(acknowledged.length).toBeGreaterThan(before);
    await restart();
    await expectAllKept();
  });

  it('starts again on the same folder after it was told to end', async () => {
    const store = await storePid();
    service.signal('SIGTERM');
    expect(await service.exited).toEqual({ code: 0, signal: null });
    expect(isAlive(store)).toBe(false);
    await restart();
    await expectAllKept();
  });
});
