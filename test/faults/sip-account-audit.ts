import { type Doc, readStored } from './store-audit.js';

/** The same but for what is a database's own. */
function text(doc: Doc | undefined): string {
  const own = ['_rev', 'pvt_source_db'];
  const members = Object.entries(doc ?? {}).filter(([name]) => !own.includes(name));
  return JSON.stringify(members.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/**
 * What is wrong with SIP accounts, in words: copies that are missing, stale or of nothing, and user
 * names that are not held. Reads the store itself, and nothing of the service's own code.
 */
export async function auditSipAccounts(dbPrefix: string): Promise<string[]> {
  const { databases, claims } = await readStored(dbPrefix);
  const truths = databases.get('sip_auth') ?? new Map<string, Doc>();
  const faults: string[] = [];
  for (const truth of truths.values()) {
    const account = decodeURIComponent(String(truth['pvt_account_db']));
    const copy = databases.get(account)?.get(truth._id);
    if (text(copy) !== text(truth)) faults.push(`${truth._id} is not as its copy in ${account}`);
    const { username, realm } = truth['sip'] as { username: string; realm: string };
    const claim = claims.get(`sip_user:${username}@${realm}`.toLowerCase());
    if (claim?.['pvt_owner'] !== truth._id) faults.push(`${truth._id} does not hold ${username}`);
  }
  for (const [name, docs] of databases) {
    if (!name.startsWith('account/')) continue;
    for (const doc of docs.values()) {
      const isCopy = doc['pvt_source_db'] === 'sip_auth';
      if (isCopy && !truths.has(doc._id)) faults.push(`${name}/${doc._id} is the copy of nothing`);
    }
  }
  return faults;
}
