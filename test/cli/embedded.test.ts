import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { CUSTOMER } from '../support/service.js';
import { runSup } from './run-sup.js';

const ADD = ['kazoo_ips_maintenance', 'add', '203.0.113.7', 'us-east', 'proxy.example'];

/** Starts the built service and resolves when it says that it is ready. */
function startServer(env: Readonly<Record<string, string>>): Promise<ChildProcess> {
  const child = spawn(process.execPath, [resolve('dist/server.js')], {
    env: { PATH: process.env['PATH'], PORT: '0', EMBEDDED_COUCHDB_PORT: '0', ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  return new Promise((done, fail) => {
    let stderr = '';
    child.stderr.on('data', (chunk) => {
      stderr += String(chunk);
      if (stderr.includes('"message":"ready"')) done(child);
    });
    child.once('exit', (code) => fail(new Error(`the service ended with ${code}: ${stderr}`)));
  });
}

async function stopServer(child: ChildProcess): Promise<void> {
  child.removeAllListeners('exit');
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  await gone;
}

describe('sup with the embedded store', () => {
  let env: { DATA_DIR: string };

  beforeEach(async () => {
    env = { DATA_DIR: await mkdtemp(join(tmpdir(), 'telcouch-sup-')) };
  });
  afterEach(() => rm(env.DATA_DIR, { recursive: true, force: true }));

  it('opens a store that nobody has started, and closes it again', async () => {
    const fresh = { ...env, DEMO_DATA: 'false' };
    const account = ['crossbar_maintenance', 'create_account', 'First', 'first.example'];
    const created = await runSup([...account, 'admin', 'pass'], { env: fresh });
    expect(created).toMatchObject({ code: 0, stderr: '' });
    expect(created.stdout).toContain('updated master account id in system_config.accounts\n');
    expect(await runSup(ADD, { env: fresh })).toEqual({
      code: 0,
      stdout: 'added IP 203.0.113.7 to available dedicated ips\n',
      stderr: '',
    });
    const again = await runSup(['--json', 'kazoo_ips_maintenance', 'summary'], { env: fresh });
    expect(JSON.parse(again.stdout)).toHaveLength(1);
    expect(existsSync(join(env.DATA_DIR, 'embedded-running.json'))).toBe(false);
    // The folder is free: the service starts on it, with the account that was made here.
    const server = await startServer(fresh);
    await stopServer(server);
  });

  it('uses the store of the running service', async () => {
    const server = await startServer(env);
    try {
      expect(
        await runSup(['kazoo_ips_maintenance', 'assign', '1.2.3.4', CUSTOMER], { env }),
      ).toEqual({ code: 0, stdout: `assigned IP 1.2.3.4 to ${CUSTOMER}\n`, stderr: '' });
      expect(await runSup(ADD, { env })).toMatchObject({ code: 0 });
      expect(server.exitCode).toBeNull();
    } finally {
      await stopServer(server);
    }
    // What the command wrote is in the service's own store.
    const { stdout } = await runSup(['--json', 'kazoo_ips_maintenance', 'summary'], { env });
    const rows = JSON.parse(stdout) as { ip: string; assigned_to: string }[];
    expect(rows.find(({ ip }) => ip === '1.2.3.4')?.assigned_to).toBe(CUSTOMER);
    expect(rows.map(({ ip }) => ip)).toContain('203.0.113.7');
  });
});
