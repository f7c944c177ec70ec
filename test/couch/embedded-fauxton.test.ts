import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type CouchAnswer, type CouchCall, callCouch } from '../support/couch-call.js';

// How the embedded store serves Fauxton's files, from an installation that came without them.

const SCRIPT = 'dashboard.assets/js/bundle.0123456789abcdef0123.js';
const START = '<!doctype html><title>Project Fauxton</title>';

let installation = '';
let store: ChildProcess;
let base = '';

beforeAll(async () => {
  installation = await mkdtemp(join(tmpdir(), 'telcouch-fauxton-'));
  await cp('dist', join(installation, 'dist'), { recursive: true });
  await cp('package.json', join(installation, 'package.json'));
  await symlink(resolve('node_modules'), join(installation, 'node_modules'));
  store = fork(join(installation, 'dist/embedded/main.js'), [], { env: {}, execArgv: [] });
  const dataDir = join(installation, 'data');
  store.send({ type: 'start', dataDir, port: 0, user: 'admin', password: 'secret' });
  const [told] = (await once(store, 'message')) as [{ type: string; port: number }];
  expect(told.type).toBe('ready');
  base = `http://127.0.0.1:${told.port}`;
});

afterAll(async () => {
  store.kill('SIGTERM');
  if (store.exitCode === null) await once(store, 'exit');
  await rm(installation, { recursive: true, force: true });
});

/** Without login, as a browser comes. */
function call(method: string, path: string, options: CouchCall = {}): Promise<CouchAnswer> {
  return callCouch(method, path, { anonymous: true, ...options }, { base, authorization: '' });
}

async function addFiles(): Promise<void> {
  const release = join(installation, 'vendor/fauxton/release');
  await mkdir(join(release, 'dashboard.assets/js'), { recursive: true });
  await writeFile(join(release, 'index.html'), START);
  await writeFile(join(release, SCRIPT), 'start();');
  await writeFile(join(release, '.hidden'), 'not for everybody');
  await writeFile(join(release, '..', 'installed.json'), '{}');
}

describe('without the files', () => {
  it('a page says what is missing and how to get it', async () => {
    const { status, headers, text } = await call('GET', '/_utils/');
    expect(status).toBe(503);
    expect(headers['content-type']).toBe('text/html; charset=utf-8');
    expect(headers['cache-control']).toBe('no-store');
    expect(text).toContain('Fauxton is not installed');
    expect(text).toContain('npm run fauxton');
  });

  it('any other file is simply not there', async () => {
    const { status, json } = await call('GET', `/_utils/${SCRIPT}`);
    expect(status).toBe(404);
    expect(json).toEqual({ error: 'not_found', reason: 'missing' });
  });
});

describe('with the files, which came while the store ran', () => {
  beforeAll(addFiles);

  it('the start page is served, fresh each time', async () => {
    const { status, headers, text } = await call('GET', '/_utils/');
    expect([status, text]).toEqual([200, START]);
    expect(headers).toMatchObject({
      'content-type': 'text/html; charset=utf-8',
      'content-length': String(START.length),
      'cache-control': 'no-cache',
      'x-content-type-options': 'nosniff',
    });
    expect(headers['content-security-policy']).toContain("script-src 'self' 'unsafe-eval'");
  });

  it('a file named by its content is kept for ever', async () => {
    const { status, headers, text } = await call('GET', `/_utils/${SCRIPT}`);
    expect([status, text]).toEqual([200, 'start();']);
    expect(headers['content-type']).toBe('text/javascript; charset=utf-8');
    expect(headers['cache-control']).toBe('public, max-age=31536000, immutable');
  });

  it.each(['/_utils/', `/_utils/${SCRIPT}`])('%s is not sent to who has it', async (path) => {
    const { headers } = await call('GET', path);
    const { etag = '' } = headers;
    expect(etag).toMatch(/^"[0-9a-f]+-[0-9a-f]+"$/);
    const again = await call('GET', path, { headers: { 'if-none-match': `"x", W/${etag}` } });
    expect([again.status, again.text, again.headers['etag']]).toEqual([304, '', etag]);
    const other = await call('GET', path, { headers: { 'if-none-match': '"x"' } });
    expect(other.status).toBe(200);
  });

  it('HEAD has the headers of GET and no body', async () => {
    const [get, head] = [await call('GET', '/_utils/'), await call('HEAD', '/_utils/')];
    expect([head.status, head.text]).toEqual([200, '']);
    expect({ ...head.headers, date: '' }).toEqual({ ...get.headers, date: '' });
  });

  it.each([
    ['/_utils', '/_utils/'],
    ['/_utils?a=b', '/_utils/?a=b'],
    ['//_utils', '/_utils/'],
  ])('%s leads to %s, where relative links work', async (from, to) => {
    const { status, headers } = await call('GET', from);
    expect([status, headers['location']]).toEqual([301, to]);
  });

  it.each([
    '/_utils/../installed.json',
    '/_utils/%2e%2e/installed.json',
    '/_utils/..%2finstalled.json',
    '/_utils/dashboard.assets/../../installed.json',
    '/_utils/..%5cinstalled.json',
    '/_utils/.hidden',
    '/_utils/index.html%00.js',
    '/_utils//index.html',
    '/_utils/dashboard.assets',
    '/_utils/dashboard.assets/',
    '/_utils/index.html/x',
    `/_utils/${'x'.repeat(300)}`,
    `/_utils/${'x/'.repeat(3000)}x`,
    '/_utils/nope.js',
  ])('GET %s finds nothing', async (path) => {
    const { status, json } = await call('GET', path);
    expect([status, json]).toEqual([404, { error: 'not_found', reason: 'missing' }]);
  });

  it.each(['POST', 'PUT', 'DELETE'])('%s is not allowed', async (method) => {
    const { status, headers } = await call(method, '/_utils/index.html');
    expect([status, headers['allow']]).toEqual([405, 'GET,HEAD']);
  });
});
