import { readdirSync } from 'node:fs';
import { type Seen, startMisbehavingServer } from './misbehaving-server.js';
import { storeUrl } from './store.js';

export interface RecordingProxy {
  /** The store behind it, with user and password. */
  readonly url: string;
  readonly requests: readonly Seen[];
  /** `METHOD path` of each request that serving a document API never needs. */
  listStrays(dbPrefix: string): string[];
  /** Forgets what was recorded so far. */
  clear(): void;
  close(): Promise<void>;
}

const SYSTEM =
  'accounts|claims|dedicated_ips|kazoo_clusters-top|mvnos-top|ops-top|ports-top|routing-top|' +
  'subscriptions-top|system_auth|system_config|token_auth|usage-top-[0-9]{6}';
const ACCOUNT = 'account%2F[0-9a-f]{2}%2F[0-9a-f]{2}%2F[0-9a-f]{28}';
const BULK = ['POST _bulk_docs', 'POST _all_docs', 'GET _all_docs'];

/** `_design/<design document>/_view/<view>` of every view of ours. */
function viewPaths(): Set<string> {
  const views = readdirSync('couch-views', { recursive: true, encoding: 'utf8' });
  return new Set(
    views.flatMap((path) => {
      const [, design, view, file] = path.split('/');
      return file === 'map.js' ? [`_design/${design}/_view/${view}`] : [];
    }),
  );
}

/** True for the one spelling of an ordinary document's id in a path. */
function isPlainId(segment: string): boolean {
  let id: string;
  try {
    id = decodeURIComponent(segment);
  } catch {
    return false;
  }
  const isSpecial = id === '' || id === '.' || id === '..' || id.startsWith('_');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are looked for.
  return !isSpecial && !/[/\u0000-\u001f\u007f]/.test(id) && encodeURIComponent(id) === segment;
}

function isExpected({ method, url }: Seen, dbPrefix: string, views: Set<string>): boolean {
  const path = url.split('?')[0] ?? '';
  const found = new RegExp(`^/${dbPrefix}(?:${SYSTEM}|${ACCOUNT})/(.+)$`).exec(path);
  const rest = found?.[1];
  if (rest === undefined) return false;
  if (views.has(rest)) return method === 'GET' || method === 'POST';
  if (BULK.includes(`${method} ${rest}`)) return true;
  return (method === 'GET' || method === 'PUT') && isPlainId(rest);
}

/** A proxy before the store that changes nothing and remembers what was asked. */
export async function startRecordingProxy(): Promise<RecordingProxy> {
  const proxy = await startMisbehavingServer(storeUrl());
  const views = viewPaths();
  return {
    url: proxy.url,
    requests: proxy.seen,
    listStrays: (dbPrefix) =>
      proxy.seen
        .filter((one) => !isExpected(one, dbPrefix, views))
        .map(({ method, url }) => `${method} ${url}`),
    clear: () => proxy.behave(),
    close: () => proxy.close(),
  };
}
