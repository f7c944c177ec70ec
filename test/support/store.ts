import { randomBytes } from 'node:crypto';

/** The store all suites share, with user and password, without a slash at its end. */
export function storeUrl(): string {
  const url = process.env['TEST_COUCHDB_URL'];
  if (url === undefined || url === '') {
    throw new Error('TEST_COUCHDB_URL is not set: run the tests through jest and its global setup');
  }
  return url.replace(/\/+$/, '');
}

/** True when the suites run on a real CouchDB. */
export function isRealCouch(): boolean {
  return (process.env['COUCHDB_URL'] ?? '') !== '';
}

/** A start of database names that no other test file or run uses. */
export function uniquePrefix(): string {
  return `t${process.pid}-${randomBytes(4).toString('hex')}-`;
}

/** The store's address without login, and the header that logs in. */
export function storeLogin(): { readonly base: string; readonly authorization: string } {
  const url = new URL(storeUrl());
  const login = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  return {
    base: url.origin,
    authorization: `Basic ${Buffer.from(login).toString('base64')}`,
  };
}

/** Deletes every database whose name starts with the prefix. */
export async function destroyDatabases(prefix: string): Promise<void> {
  const { base, authorization } = storeLogin();
  const range = new URLSearchParams({
    startkey: JSON.stringify(prefix),
    endkey: JSON.stringify(`${prefix}\ufff0`),
  });
  const answer = await fetch(`${base}/_all_dbs?${range}`, { headers: { authorization } });
  const names = (await answer.json()) as string[];
  for (const name of names.filter((one) => one.startsWith(prefix))) {
    await fetch(`${base}/${encodeURIComponent(name)}`, {
      method: 'DELETE',
      headers: { authorization },
    });
  }
}
