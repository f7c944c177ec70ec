import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { findFreePort } from '../support/service-process.js';

// The install step that fetches Fauxton, run by itself in a folder of its own. That it works with
// the real tarball shows at every install; here is what it does when things are not well.

const INTEGRITY =
  'sha512-5ZwPKqstwmQclSHifWBmbyzlBOLoBB3gssGaiEFLPcIzHO0Zxz+uPr/D/Fs6DGH7Hfohw7s6zqcjwU9CRcshfw==';
const HOW_TO_GET_IT =
  'Everything else works without it. To get it later, when the npm registry can be reached:\n' +
  '  npm run fauxton\n';
const PATIENCE_MS = 60_000;

let project = '';

beforeEach(async () => {
  project = await mkdtemp(join(tmpdir(), 'telcouch-install-'));
  await mkdir(join(project, 'scripts'));
  await cp('scripts/fauxton.mjs', join(project, 'scripts/fauxton.mjs'));
  await cp('package.json', join(project, 'package.json'));
  await symlink(resolve('node_modules'), join(project, 'node_modules'));
});
afterEach(() => rm(project, { recursive: true, force: true }));

interface Run {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the step against one registry, with nothing of this machine's npm cache. */
async function install(registry: string, ...options: string[]): Promise<Run> {
  const child = spawn(process.execPath, [join(project, 'scripts/fauxton.mjs'), ...options], {
    env: {
      PATH: process.env['PATH'],
      HOME: project,
      npm_config_registry: registry,
      npm_config_cache: join(project, 'cache'),
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const written = { stdout: '', stderr: '' };
  child.stdout.on('data', (text) => (written.stdout += text));
  child.stderr.on('data', (text) => (written.stderr += text));
  const [code] = (await once(child, 'close')) as [number];
  return { code, ...written };
}

/** A registry whose fauxton is another tarball, and says so consistently. */
async function startLyingRegistry(tarball: Buffer): Promise<{ url: string; server: Server }> {
  const integrity = `sha512-${createHash('sha512').update(tarball).digest('base64')}`;
  const server = createServer((request, response) => {
    const url = `http://${request.headers.host}`;
    if (request.url?.endsWith('.tgz') === true) response.end(tarball);
    else {
      const dist = { tarball: `${url}/fauxton/-/fauxton-1.2.6.tgz`, integrity };
      const version = { name: 'fauxton', version: '1.2.6', dist };
      const tags = { latest: '1.2.6' };
      const versions = { '1.2.6': version };
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ name: 'fauxton', 'dist-tags': tags, versions }));
    }
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server };
}

it(
  'without a registry it says what is missing and how to get it, and forgives at install',
  async () => {
    const nowhere = `http://127.0.0.1:${await findFreePort()}`;
    const forgiven = await install(nowhere, '--optional');
    expect(forgiven.code).toBe(0);
    expect(forgiven.stdout).toBe('');
    expect(forgiven.stderr).toContain(
      'Fauxton, the web interface of the embedded store, is not installed: npm could not get it (',
    );
    expect(forgiven.stderr).toContain('ECONNREFUSED');
    expect(forgiven.stderr.endsWith(HOW_TO_GET_IT)).toBe(true);
    const asked = await install(nowhere);
    expect({ code: asked.code, stderr: asked.stderr.slice(-HOW_TO_GET_IT.length) }).toEqual({
      code: 1,
      stderr: HOW_TO_GET_IT,
    });
    expect(await readdir(project)).not.toContain('vendor');
  },
  PATIENCE_MS,
);

it(
  'another tarball than the pinned one is refused, whatever the registry says of it',
  async () => {
    const { url, server } = await startLyingRegistry(await packFakeRelease());
    const run = await install(url);
    server.close();
    expect(run.code).toBe(1);
    expect(run.stderr).toContain('its tarball is not the one that is pinned (sha512-');
    expect(run.stderr).toContain('nothing of it was used');
    expect(await readdir(project)).not.toContain('vendor');
  },
  PATIENCE_MS,
);

it(
  'a whole folder is left as it is without asking anybody, a damaged one is not trusted',
  async () => {
    const folder = join(project, 'vendor/fauxton');
    await mkdir(join(folder, 'release'), { recursive: true });
    await writeFile(join(folder, 'release/index.html'), 'whole');
    const files = { 'release/index.html': 5 };
    await writeFile(
      join(folder, 'installed.json'),
      JSON.stringify({ integrity: INTEGRITY, files }),
    );
    const nowhere = `http://127.0.0.1:${await findFreePort()}`;
    expect(await install(nowhere)).toEqual({
      code: 0,
      stdout: `Fauxton 1.2.6 is in ${join('vendor', 'fauxton')}.\n`,
      stderr: '',
    });
    await writeFile(join(folder, 'release/index.html'), 'cut');
    const again = await install(nowhere);
    expect(again.code).toBe(1);
    expect(again.stderr).toContain('ECONNREFUSED');
    expect(await readdir(join(project, 'vendor'))).toEqual(['fauxton']);
  },
  PATIENCE_MS,
);

/** A tarball with a start page where Fauxton's is. */
async function packFakeRelease(): Promise<Buffer> {
  const { create } = await import('tar');
  const release = join(project, 'fake/package/dist/release');
  await mkdir(release, { recursive: true });
  await writeFile(join(release, 'index.html'), '<script>steal()</script>');
  const chunks: Buffer[] = [];
  const packed = create({ cwd: join(project, 'fake'), gzip: true }, ['package']);
  for await (const chunk of packed) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
