import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { readSandboxAddress } from '../../src/carriers/sandbox/address.js';
import { startSandbox } from '../support/carrier-sandbox.js';
import { type ServiceProcess, startServiceProcess } from '../support/service-process.js';

const STARTED = 'the sandbox carrier runs';
const started: ServiceProcess[] = [];
afterAll(async () => {
  await Promise.all(started.map((service) => service.stop()));
});

async function start(env: Record<string, string>, dataDir?: string): Promise<ServiceProcess> {
  const service = await startServiceProcess({
    env: { CARRIER_SANDBOX: 'true', CARRIER_SANDBOX_PORT: '0', ...env },
    ...(dataDir === undefined ? {} : { dataDir }),
  });
  started.push(service);
  await service.ready();
  return service;
}

/** The line of the demo that the sandbox of a folder has; undefined when it answers nobody. */
async function askDemoLine(dataDir: string): Promise<string | undefined> {
  const address = await readSandboxAddress(dataDir);
  if (address === undefined) return undefined;
  const path = `${address.url}/v1/lines?mdn=%2B14157487153`;
  const answer = await fetch(path, { headers: { 'x-api-key': address.apiKey } }).catch(() => null);
  if (answer === null) return undefined;
  return ((await answer.json()) as { line: { esn: string } }).line.esn;
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  const giveUpAt = Date.now() + 10_000;
  while (!(await isSo())) {
    if (Date.now() > giveUpAt) throw new Error('it never came to that');
    await sleep(50);
  }
}

test('the service starts the sandbox carrier beside it, and ends it with itself', async () => {
  const service = await start({});
  const line = await service.logged(STARTED);
  const address = await readSandboxAddress(service.dataDir);
  expect(address?.url).toBe(line['url']);
  expect(await askDemoLine(service.dataDir)).toBe('A10000009296F2');
  service.signal('SIGTERM');
  expect(await service.exited).toEqual({ code: 0, signal: null });
  await expect(fetch(String(line['url']))).rejects.toThrow();
});

test('the sandbox carrier ends also when the service is killed', async () => {
  const service = await start({});
  const { url } = await service.logged(STARTED);
  await service.kill();
  await until(() =>
    fetch(String(url)).then(
      () => false,
      () => true,
    ),
  );
});

test('a port that is taken costs a warning and no carrier', async () => {
  const taken = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => taken.once('listening', resolve));
  const { port } = taken.address() as { port: number };
  const service = await start({ CARRIER_SANDBOX_PORT: String(port) });
  const line = await service.logged(
    'the sandbox carrier runs on another port, as its own is taken',
  );
  expect(line).toMatchObject({ level: 'warn', port });
  expect(await askDemoLine(service.dataDir)).toBe('A10000009296F2');
  await service.stop();
  await new Promise((resolve) => taken.close(resolve));
});

test('a sandbox that runs on the folder already is used, and outlives the service', async () => {
  const sandbox = await startSandbox({ hasDemoContent: true });
  const service = await start({}, sandbox.dataDir);
  expect((await service.logged(STARTED))['url']).toBe(sandbox.url);
  await service.stop();
  expect(await askDemoLine(sandbox.dataDir)).toBe('A10000009296F2');
  await sandbox.stop();
});
