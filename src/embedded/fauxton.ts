import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { notFound } from './errors.js';
import { type Exchange, param } from './exchange.js';
import type { Route } from './router.js';

/** Where `scripts/fauxton.mjs` puts Fauxton's files, seen from the sources and from the build. */
const FAUXTON_DIR = fileURLToPath(new URL('../../vendor/fauxton/release', import.meta.url));

/** No hidden file, no `..`, nothing that a path on any system could be made of. */
const FILE_NAME = /^[A-Za-z0-9_-][A-Za-z0-9._-]*$/;
/** A build names its scripts and styles by their content, so such a file never changes. */
const NAMED_BY_CONTENT = /\.[0-9a-f]{16,}\.(?:css|js)$/;
const FOR_EVER = 'public, max-age=31536000, immutable';

const TYPES: Readonly<Record<string, string>> = {
  css: 'text/css; charset=utf-8',
  eot: 'application/vnd.ms-fontobject',
  gif: 'image/gif',
  html: 'text/html; charset=utf-8',
  ico: 'image/x-icon',
  js: 'text/javascript; charset=utf-8',
  png: 'image/png',
  svg: 'image/svg+xml',
  ttf: 'font/ttf',
  woff: 'font/woff',
  woff2: 'font/woff2',
};

/**
 * The policy that CouchDB 3.5 sends with Fauxton, whose templates need `eval` and inline styles.
 * The one foreign frame is the project's news, loaded only when somebody asks for it.
 */
const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy': [
    "default-src 'self'",
    "child-src 'self' data: blob:",
    "img-src 'self' data:",
    "font-src 'self'",
    "script-src 'self' 'unsafe-eval'",
    "style-src 'self' 'unsafe-inline'",
    'frame-src https://blog.couchdb.org',
    "frame-ancestors 'self'",
  ].join('; '),
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
};

const MISSING_PAGE = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Fauxton is not installed</title>
<h1>Fauxton is not installed</h1>
<p>The store works; only its web interface is missing, because its files could not be fetched when
telcouch was installed. To get them, run this in the folder of telcouch while the npm registry can
be reached, and load this page again. Nothing has to be restarted.</p>
<pre>npm run fauxton</pre>
</html>
`;

/** True when Fauxton's files are there to be served. */
export async function isFauxtonInstalled(folder = FAUXTON_DIR): Promise<boolean> {
  return (await sizeAndTime(join(folder, 'index.html'))) !== undefined;
}

/**
 * Fauxton at `/_utils/`, open to everybody: the files hold no data, and its login form is one of
 * them. Without them a page says so, with 503. They are looked for at each request, because they
 * can be fetched while the store runs.
 */
export function fauxtonRoutes(folder = FAUXTON_DIR): readonly Route[] {
  return [
    { path: '/_utils', open: true, methods: { GET: (x) => sendStart(x, folder) } },
    { path: '/_utils/*file', open: true, methods: { GET: (x) => sendNamed(x, folder) } },
  ];
}

async function sendStart(x: Exchange, folder: string): Promise<void> {
  const [path = '', query] = (x.req.url ?? '').split('?', 2);
  if (!path.endsWith('/')) {
    // The page's links are relative, so they would miss the folder.
    const location = query === undefined ? '/_utils/' : `/_utils/?${query}`;
    x.res.writeHead(301, { ...SECURITY_HEADERS, location, 'content-length': 0 }).end();
    return;
  }
  if (!(await sendFile(x, join(folder, 'index.html')))) sendMissingPage(x);
}

async function sendNamed(x: Exchange, folder: string): Promise<void> {
  const names = param(x, 'file').split('/');
  const isSafe = names.every((name) => FILE_NAME.test(name));
  if (!isSafe || !(await sendFile(x, join(folder, ...names)))) throw notFound('missing');
}

/** Sends a file, or 304 to who has it already; false when there is no such file. */
async function sendFile(x: Exchange, path: string): Promise<boolean> {
  const found = await sizeAndTime(path);
  if (found === undefined) return false;
  const headers = {
    ...SECURITY_HEADERS,
    'cache-control': NAMED_BY_CONTENT.test(path) ? FOR_EVER : 'no-cache',
    etag: `"${found.size.toString(16)}-${Math.trunc(found.mtimeMs).toString(16)}"`,
  };
  if (hasTag(x.req.headers['if-none-match'], headers.etag)) {
    x.res.writeHead(304, headers).end();
    return true;
  }
  const extension = path.slice(path.lastIndexOf('.') + 1);
  const content = await readFile(path);
  x.res.writeHead(200, {
    ...headers,
    'content-type': TYPES[extension] ?? 'application/octet-stream',
    'content-length': content.length,
  });
  x.res.end(content);
  return true;
}

async function sizeAndTime(path: string): Promise<{ size: number; mtimeMs: number } | undefined> {
  try {
    const found = await stat(path);
    return found.isFile() ? found : undefined;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ENAMETOOLONG') return undefined;
    throw error;
  }
}

function hasTag(header: string | undefined, tag: string): boolean {
  const tags = (header ?? '').split(',').map((each) => each.trim().replace(/^W\//, ''));
  return tags.includes('*') || tags.includes(tag);
}

function sendMissingPage(x: Exchange): void {
  const text = Buffer.from(MISSING_PAGE);
  x.res.writeHead(503, {
    ...SECURITY_HEADERS,
    'cache-control': 'no-store',
    'content-type': 'text/html; charset=utf-8',
    'content-length': text.length,
  });
  x.res.end(text);
}
