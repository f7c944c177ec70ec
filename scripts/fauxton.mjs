// Puts the built files of Fauxton, CouchDB's web interface, into vendor/fauxton, where the embedded
// store serves them from. As a dependency the package would bring some 1,700 others along, so its
// files are taken alone: npm fetches the tarball with whatever registry, proxy and credentials it
// is configured for, and nothing of it is used unless it is the very tarball that is pinned here.
//
// With --optional (as npm runs it at install) a failure is told and forgiven: Fauxton is a
// convenience, and an installation without network must come out working.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

const VERSION = '1.2.6';
const INTEGRITY =
  'sha512-5ZwPKqstwmQclSHifWBmbyzlBOLoBB3gssGaiEFLPcIzHO0Zxz+uPr/D/Fs6DGH7Hfohw7s6zqcjwU9CRcshfw==';
/** The tarball has 1.1 MB and its built files 3.5 MB; whatever is larger is something else. */
const MAX_TARBALL_BYTES = 2 * 1024 * 1024;
const MAX_BUILT_BYTES = 8 * 1024 * 1024;
const MAX_BUILT_FILES = 100;
/** An install must not hang on a registry that is silent. */
const FETCH_MS = 60_000;
const ATTEMPT_MS = 20_000;

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const FOLDER = join(ROOT, 'vendor', 'fauxton');
/** Written last: a folder without it is a run that was cut off. */
const MARKER = 'installed.json';
/** Where the tarball keeps what we take, and what becomes of those names. */
const RELEASE = 'package/dist/release/';
const LICENSE = 'package/LICENSE';

/** True when a run with the same pin finished here and every file of it is still whole. */
function isInstalled() {
  try {
    const { integrity, files } = JSON.parse(readFileSync(join(FOLDER, MARKER), 'utf8'));
    if (integrity !== INTEGRITY) return false;
    return Object.entries(files).every(
      ([path, bytes]) => statSync(join(FOLDER, path)).size === bytes,
    );
  } catch {
    return false;
  }
}

/** The command line of the npm that runs us, else of the one on the path. */
function npmCommand() {
  const running = process.env.npm_execpath ?? '';
  // Other package managers set the same variable, and pack something else.
  if (/npm-cli\.[cm]?js$/.test(running)) return { file: process.execPath, first: [running] };
  return { file: 'npm', first: [], shell: process.platform === 'win32' };
}

/** Fetches the tarball into `folder`; returns its bytes. */
function fetchTarball(folder) {
  const { file, first, shell = false } = npmCommand();
  const options = [
    '--ignore-scripts',
    `--pack-destination=${shell ? JSON.stringify(folder) : folder}`,
    '--prefer-offline',
    '--loglevel=error',
    '--no-update-notifier',
    // npm's own patience with an unreachable registry is more than a minute.
    '--fetch-retries=1',
    '--fetch-retry-mintimeout=1000',
    `--fetch-timeout=${ATTEMPT_MS}`,
  ];
  const run = spawnSync(file, [...first, 'pack', `fauxton@${VERSION}`, ...options], {
    cwd: ROOT,
    shell,
    stdio: ['ignore', 'ignore', 'pipe'],
    encoding: 'utf8',
    timeout: FETCH_MS,
    killSignal: 'SIGKILL',
  });
  if (run.error?.code === 'ETIMEDOUT') {
    throw new Error(`npm did not get it within ${FETCH_MS / 1000} seconds`);
  }
  if (run.error !== undefined) throw new Error(`npm could not be run (${run.error.message})`);
  if (run.status !== 0) throw new Error(`npm could not get it (${firstErrors(run.stderr)})`);
  const [name] = readdirSync(folder).filter((each) => each.endsWith('.tgz'));
  if (name === undefined) throw new Error('npm left no tarball');
  const { size } = statSync(join(folder, name));
  if (size > MAX_TARBALL_BYTES) throw new Error(`its tarball is too large: ${size} bytes`);
  return readFileSync(join(folder, name));
}

/** What npm complained about, in one line. */
function firstErrors(stderr) {
  const lines = stderr.split('\n').map((line) => line.replace(/^npm (error|ERR!)\s*/, '').trim());
  const said = lines.filter(
    (line) => line !== '' && !line.startsWith('A complete log of this run'),
  );
  return said.slice(0, 3).join('; ').slice(0, 300) || 'without saying why';
}

function checkIntegrity(tarball) {
  const found = `sha512-${createHash('sha512').update(tarball).digest('base64')}`;
  if (found === INTEGRITY) return;
  throw new Error(`its tarball is not the one that is pinned (${found}); nothing of it was used`);
}

/** Where an entry of the tarball goes, or undefined for what is left there. */
function targetOf(entryPath) {
  if (entryPath === LICENSE) return 'LICENSE';
  if (!entryPath.startsWith(RELEASE) || entryPath.endsWith('/')) return undefined;
  return join('release', entryPath.slice(RELEASE.length));
}

/** Writes the built files under `draft`; returns their sizes by path. */
async function extract(tarball, draft) {
  const { Parser } = await import('tar');
  const contents = new Map();
  let total = 0;
  const parser = new Parser({
    strict: true,
    onReadEntry(entry) {
      const target = entry.type === 'File' ? targetOf(entry.path) : undefined;
      if (target === undefined) return entry.resume();
      const chunks = [];
      entry.on('data', (chunk) => {
        total += chunk.length;
        if (total > MAX_BUILT_BYTES) parser.abort(new Error('its files are too large'));
        else chunks.push(chunk);
      });
      entry.on('end', () => contents.set(target, Buffer.concat(chunks)));
    },
  });
  await new Promise((done, fail) => {
    parser.on('end', done);
    parser.on('error', fail);
    parser.end(tarball);
  });
  if (!contents.has(join('release', 'index.html'))) throw new Error('it has no built release');
  if (contents.size > MAX_BUILT_FILES) throw new Error('it has too many files');
  const files = {};
  for (const [target, content] of contents) {
    const path = resolve(draft, target);
    if (!path.startsWith(draft + sep)) throw new Error(`it names a file elsewhere: ${target}`);
    mkdirSync(join(path, '..'), { recursive: true });
    writeFileSync(path, content);
    files[target.split(sep).join('/')] = content.length;
  }
  return files;
}

async function install() {
  const fetched = mkdtempSync(join(tmpdir(), 'fauxton-'));
  const draft = `${FOLDER}.${process.pid}.draft`;
  try {
    const tarball = fetchTarball(fetched);
    checkIntegrity(tarball);
    rmSync(draft, { recursive: true, force: true });
    mkdirSync(draft, { recursive: true });
    const files = await extract(tarball, draft);
    const marker = { name: 'fauxton', version: VERSION, integrity: INTEGRITY, files };
    writeFileSync(join(draft, MARKER), `${JSON.stringify(marker, null, 2)}\n`);
    rmSync(FOLDER, { recursive: true, force: true });
    renameSync(draft, FOLDER);
  } finally {
    rmSync(draft, { recursive: true, force: true });
    rmSync(fetched, { recursive: true, force: true });
  }
}

const isOptional = process.argv.includes('--optional');
const shown = relative(ROOT, FOLDER);
try {
  if (isInstalled()) {
    console.log(`Fauxton ${VERSION} is in ${shown}.`);
  } else {
    await install();
    console.log(`Fauxton ${VERSION} was put into ${shown}.`);
  }
} catch (error) {
  console.error(
    `Fauxton, the web interface of the embedded store, is not installed: ${error.message}.\n` +
      'Everything else works without it. To get it later, when the npm registry can be reached:\n' +
      '  npm run fauxton',
  );
  if (!isOptional) process.exitCode = 1;
}
