import { storeLogin } from './store.js';

/**
 * Stores a revision as a replication brings it: beside what is there, as if another node had taken
 * a write of its own. `rev` is a generation and the start of a hash; CouchDB lets the higher one
 * of two revisions of a generation win. Resolves to the whole revision.
 */
export async function makeConflict(
  database: string,
  doc: { readonly _id: string; readonly [field: string]: unknown },
  rev: string,
  parents: readonly string[] = [],
): Promise<string> {
  const [generation, start = ''] = rev.split('-');
  const hash = start.padEnd(32, start.at(-1) ?? '0');
  const ids = [hash, ...parents.map((parent) => parent.split('-')[1])];
  const full = `${generation}-${hash}`;
  const revisions = { start: Number(generation), ids };
  const answer = await ask(database, '_bulk_docs', {
    new_edits: false,
    docs: [{ ...doc, _rev: full, _revisions: revisions }],
  });
  if (!Array.isArray(answer) || answer.length > 0) throw new Error(JSON.stringify(answer));
  return full;
}

/** The revisions of a document that lie hidden behind the one that is read. */
export async function hiddenRevisions(database: string, id: string): Promise<readonly string[]> {
  const doc = await ask(database, `${encodeURIComponent(id)}?conflicts=true`);
  return (doc as { _conflicts?: string[] })._conflicts ?? [];
}

async function ask(database: string, path: string, body?: unknown): Promise<unknown> {
  const { base, authorization } = storeLogin();
  const answer = await fetch(`${base}/${encodeURIComponent(database)}/${path}`, {
    method: body === undefined ? 'GET' : 'POST',
    headers: { authorization, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return answer.json();
}
