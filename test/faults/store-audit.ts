import { callCouch } from '../support/couch-call.js';

export type Doc = Readonly<Record<string, unknown>> & { readonly _id: string };

export interface Stored {
  /** Documents by database name without prefix; design documents are left out. */
  readonly databases: ReadonlyMap<string, ReadonlyMap<string, Doc>>;
  readonly pool: ReadonlyMap<string, Doc>;
  readonly copies: ReadonlyMap<string, Doc>;
  readonly claims: ReadonlyMap<string, Doc>;
}

const ACCOUNT_DATABASE = /^account\/(..)\/(..)\/(.{28})$/;

/**
 * What is wrong in the databases, in words: addresses with a holder that is none, copies that are
 * missing, stale or orphans, accounts that are there in part, claims without an owner and owners
 * without a claim. Reads the store itself, and nothing of the service's own code.
 */
export async function auditStore(dbPrefix: string): Promise<string[]> {
  const stored = await readStored(dbPrefix);
  const faults = auditPool(stored);
  for (const [name, docs] of stored.databases) {
    const id = ACCOUNT_DATABASE.exec(name)?.slice(1).join('');
    if (id !== undefined)
      faults.push(...auditAccount(stored, id, docs), ...auditUsers(stored, docs));
  }
  for (const id of stored.copies.keys()) {
    if (ownDoc(stored, id) === undefined) faults.push(`accounts/${id} is the copy of nothing`);
  }
  for (const claim of stored.claims.values()) faults.push(...auditClaim(stored, claim));
  return faults;
}

/** The documents of the account's own database; empty when there is none. */
export async function readAccount(dbPrefix: string, id: string): Promise<ReadonlyMap<string, Doc>> {
  return (await readStored(dbPrefix)).databases.get(databaseOf(id)) ?? new Map();
}

export async function readStored(dbPrefix: string): Promise<Stored> {
  const databases = new Map<string, Map<string, Doc>>();
  const names: string[] = (await callCouch('GET', '/_all_dbs')).json;
  const own = names.filter((name) => name.startsWith(dbPrefix));
  await Promise.all(
    own.map(async (name) => {
      const path = `/${encodeURIComponent(name)}/_all_docs?include_docs=true`;
      const rows: { doc: Doc }[] = (await callCouch('GET', path)).json.rows;
      const docs = rows.map(({ doc }) => doc).filter(({ _id }) => !_id.startsWith('_design/'));
      databases.set(name.slice(dbPrefix.length), new Map(docs.map((doc) => [doc._id, doc])));
    }),
  );
  const of = (name: string) => databases.get(name) ?? new Map<string, Doc>();
  return { databases, pool: of('dedicated_ips'), copies: of('accounts'), claims: of('claims') };
}

function databaseOf(id: string): string {
  return `account/${id.slice(0, 2)}/${id.slice(2, 4)}/${id.slice(4)}`;
}

function ownDoc(stored: Stored, id: unknown): Doc | undefined {
  return stored.databases.get(databaseOf(String(id)))?.get(String(id));
}

function isLive(doc: Doc | undefined): doc is Doc {
  return doc !== undefined && doc['pvt_deleted'] !== true;
}

/** The same but for the revision, which every database gives out for itself. */
function isCopy(copy: Doc | undefined, truth: Doc): boolean {
  return text(copy) === text(truth);
}

function text(doc: Doc | undefined): string {
  const members = Object.entries(doc ?? {}).filter(([name]) => name !== '_rev');
  return JSON.stringify(members.sort(([a], [b]) => (a < b ? -1 : 1)));
}

function auditPool({ pool, ...stored }: Stored): string[] {
  return [...pool.values()].flatMap((truth) => {
    const { _id: ip, pvt_status: status, pvt_assigned_to: holder } = truth;
    if ((status === 'assigned') !== (typeof holder === 'string')) {
      return [`${ip} is ${status} and held by ${holder}`];
    }
    if (holder === undefined) return [];
    if (!isLive(ownDoc({ pool, ...stored }, holder))) return [`${ip} is held by nobody: ${holder}`];
    const copy = stored.databases.get(databaseOf(String(holder)))?.get(ip);
    return isCopy(copy, truth) ? [] : [`${ip} is not copied to its holder ${holder}`];
  });
}

function auditAccount(stored: Stored, id: string, docs: ReadonlyMap<string, Doc>): string[] {
  const orphans = [...docs.values()].filter(
    (doc) =>
      doc['pvt_type'] === 'dedicated_ip' && stored.pool.get(doc._id)?.['pvt_assigned_to'] !== id,
  );
  const faults = orphans.map((doc) => `${id} has an orphan copy of ${doc._id}`);
  const account = docs.get(id);
  if (account === undefined) {
    return docs.size === 0 ? faults : [...faults, `${id} is no account and has documents`];
  }
  if (!isCopy(stored.copies.get(id), account)) faults.push(`${id} is not copied to accounts`);
  if (!isLive(account)) return faults;
  const name = String(account['name'])
    .toLowerCase()
    .replace(/[^a-z0-9]/g, '');
  for (const claimId of [`account_name:${name}`, `account_realm:${account['realm']}`]) {
    if (stored.claims.get(claimId)?.['pvt_owner'] !== id) faults.push(`${id} lacks ${claimId}`);
  }
  return faults;
}

function auditUsers(stored: Stored, docs: ReadonlyMap<string, Doc>): string[] {
  return [...docs.values()].flatMap((user) => {
    const username = user['username'];
    if (user['pvt_type'] !== 'user' || !isLive(user) || typeof username !== 'string') return [];
    const value = `${user['pvt_account_id']}/${username}`;
    const claims = [...stored.claims.values()].filter((claim) => claim['pvt_value'] === value);
    return claims.length === 1 && claims[0]?.['pvt_owner'] === user._id
      ? []
      : [`the user ${value} has ${claims.length} claims`];
  });
}

function auditClaim(stored: Stored, claim: Doc): string[] {
  const { _id: id, pvt_state: state, pvt_owner: owner, pvt_owner_db: database } = claim;
  const doc = stored.databases.get(String(database))?.get(String(owner));
  if (state !== 'held') return [`${id} is ${state}`];
  return isLive(doc) ? [] : [`${id} is held by nobody: ${owner}`];
}
