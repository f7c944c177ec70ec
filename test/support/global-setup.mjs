import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * One store for all suites: the CouchDB of COUCHDB_URL, or else an embedded one in a folder of its
 * own. Test files find it in TEST_COUCHDB_URL.
 */
export default async function globalSetup() {
  if (process.env.COUCHDB_URL) {
    process.env.TEST_COUCHDB_URL = process.env.COUCHDB_URL;
    return;
  }
  const { startEmbeddedStore } = await import('../../dist/embedded/process.js');
  const dataDir = await mkdtemp(join(tmpdir(), 'telcouch-test-'));
  const store = await startEmbeddedStore({
    dataDir,
    port: 0,
    user: 'admin',
    password: 'test-password',
  });
  process.env.TEST_COUCHDB_URL = store.url;
  globalThis.telcouchTestStore = { store, dataDir };
}
