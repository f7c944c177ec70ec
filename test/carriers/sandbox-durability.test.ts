import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CarrierSandbox, startSandbox } from '../support/carrier-sandbox.js';

const MDN = '+14157487153';

/** What a sandbox answers; fetch unpacks what is packed. */
async function ask(sandbox: CarrierSandbox, path: string): Promise<string> {
  const answer = await fetch(`${sandbox.url}${path}`, {
    headers: { 'x-api-key': sandbox.apiKey },
  });
  return answer.text();
}

describe('what was acknowledged', () => {
  test('is there after a kill in the middle of writing, and nothing is half there', async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'telcouch-killed-'));
    let running = await startSandbox({ dataDir });
    const acknowledged: string[] = [];
    for (let round = 0; round < 3; round += 1) {
      const current = running;
      let count = 0;
      const writing = Array.from({ length: 60 }, async (_, n) => {
        const mdn = `+1415555${String(1000 + round * 100 + n)}`;
        await current.addLine({ mdn });
        acknowledged.push(mdn);
        count += 1;
        if (count === 20) await current.kill();
      });
      await Promise.allSettled(writing);
      running = await startSandbox({ dataDir });
      const held = (await running.listLines()).map(({ mdn }) => mdn);
      expect(held).toEqual(expect.arrayContaining(acknowledged));
    }
    await running.stop();
    await rm(dataDir, { recursive: true });
  });

  test('survives kills while a usage file grows, and no content is left over', async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'telcouch-killed-'));
    let running = await startSandbox({ dataDir });
    const record = (n: number) => ({
      session_id: `s${n}`,
      start: '2026-11-01T00:00:00Z',
      end: '2026-11-01T01:00:00Z',
      mdn: MDN,
      bytes: n,
    });
    let done = 0;
    const current = running;
    const growing = Array.from({ length: 20 }, async (_, n) => {
      await current.appendUsage('grows.csv', [record(n)]);
      done += 1;
      if (done === 7) await current.kill();
    });
    await Promise.allSettled(growing);
    running = await startSandbox({ dataDir });
    const file = await ask(running, '/v1/usage-files/grows.csv');
    const rows = file.trimEnd().split('\r\n').length - 1;
    expect(rows).toBeGreaterThanOrEqual(done);
    expect(await readdir(join(dataDir, 'carrier-sandbox', 'usage'))).toHaveLength(1);
    await running.stop();
    await rm(dataDir, { recursive: true });
  });

  test('stays when the journal is folded into a snapshot, once and not twice', async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'telcouch-folded-'));
    let running = await startSandbox({ dataDir });
    const features = Array.from({ length: 100 }, (_, n) => `${'f'.repeat(90)}${n}`);
    for (let n = 0; n < 5; n += 1) {
      const lines = Array.from({ length: 100 }, (_, m) => ({
        mdn: `+1415555${2000 + n * 100 + m}`,
        features,
      }));
      await running.addLine(...lines);
    }
    const message = { direction: 'in', mdn: MDN, code: 'pending', timestamp: 1 } as const;
    const ids = await running.pushPortMessages(message, message);
    const folder = join(dataDir, 'carrier-sandbox');
    expect((await stat(join(folder, 'snapshot.json'))).size).toBeGreaterThan(4_000_000);
    expect((await stat(join(folder, 'journal.jsonl'))).size).toBeLessThan(1_500_000);
    await running.kill();
    running = await startSandbox({ dataDir });
    expect(await running.listLines()).toHaveLength(500);
    const listed = await ask(running, '/v1/port-messages');
    const { messages } = JSON.parse(listed) as { messages: { id: string }[] };
    expect(messages.map(({ id }) => id)).toEqual(ids);
    await running.stop();
    await rm(dataDir, { recursive: true });
  });
});

describe('its process', () => {
  test('has its folder for itself, and takes another port when its own is taken', async () => {
    const sandbox = await startSandbox();
    const port = Number(new URL(sandbox.url).port);
    await expect(startSandbox({ dataDir: sandbox.dataDir })).rejects.toThrow(
      `the sandbox did not start: a sandbox carrier runs on ${sandbox.dataDir}/carrier-sandbox ` +
        `already, at ${sandbox.url}`,
    );
    const other = await startSandbox({ port });
    expect(other.url).not.toBe(sandbox.url);
    await other.stop();
    await sandbox.stop();
  });

  test('keeps its key to its owner and over restarts', async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'telcouch-key-'));
    const first = await startSandbox({ dataDir });
    await first.stop();
    const path = join(dataDir, 'carrier-sandbox', 'api-key');
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect((await readFile(path, 'utf8')).trim()).toMatch(/^[0-9a-f]{64}$/);
    const second = await startSandbox({ dataDir });
    expect(second.apiKey).toBe(first.apiKey);
    await second.stop();
    await rm(dataDir, { recursive: true });
  });
});
