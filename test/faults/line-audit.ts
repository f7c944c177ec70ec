import { type Doc, readStored, type Stored } from './store-audit.js';

const OWN_CLUSTER = '8a901bea1d3297ef7d4c8d34809472c2';
const KINDS = ['mdn', 'esn', 'sim'] as const;

/** Whose a document is. */
interface Holder {
  readonly account: unknown;
  readonly cluster: unknown;
}

/**
 * What is wrong with lines and their devices, in words: a claim that is not held by the line that
 * needs it, or by none; a device that was made in part; copies that are missing, stale or orphans;
 * notes of unfinished work. Reads the store itself, and nothing of the service's own code.
 */
export async function auditLines(dbPrefix: string): Promise<string[]> {
  const stored = await readStored(dbPrefix);
  const truths = stored.databases.get('subscriptions-top') ?? new Map<string, Doc>();
  const lines = [...truths.values()].filter((doc) => doc['pvt_type'] === 'subscription');
  const devices = [...truths.values()].filter((doc) => doc['pvt_type'] === 'device');
  const faults = [
    ...lines.flatMap((line) => auditClaimsOf(stored, line)),
    ...auditClaims(stored, truths),
    ...lines.flatMap((line) => auditDeviceOf(truths, line)),
    ...devices.flatMap((device) => auditDevice(truths, device)),
    ...auditCopies(stored, [...lines, ...devices], truths),
  ];
  const notes = [...(stored.databases.get('ops-top')?.keys() ?? [])];
  return [...faults, ...notes.filter((id) => id.startsWith('line-work:'))];
}

function auditClaimsOf(stored: Stored, line: Doc): string[] {
  return KINDS.flatMap((kind) => {
    const value = line[kind];
    if (typeof value !== 'string') return [];
    const claim = stored.claims.get(`${kind}:${value}`);
    const isRight = claim?.['pvt_owner'] === line._id && claim['pvt_state'] === 'held';
    return isRight ? [] : [`${line._id} does not hold ${kind} ${value}`];
  });
}

function auditClaims(stored: Stored, truths: ReadonlyMap<string, Doc>): string[] {
  return [...stored.claims.values()].flatMap((claim) => {
    const kind = String(claim['pvt_kind']);
    if (!KINDS.some((each) => each === kind)) return [];
    const owner = truths.get(String(claim['pvt_owner']));
    return owner?.[kind] === claim['pvt_value'] ? [] : [`${claim._id} is an orphan`];
  });
}

function auditDeviceOf(truths: ReadonlyMap<string, Doc>, line: Doc): string[] {
  const { esn } = line;
  if (typeof esn !== 'string') return [];
  const device = truths.get(esn);
  return device?.['pvt_subscription_id'] === line._id ? [] : [`${line._id} lacks ${esn}`];
}

function auditDevice(truths: ReadonlyMap<string, Doc>, device: Doc): string[] {
  const { pvt_subscription_id: owner, pvt_account_id: account } = device;
  if (owner === undefined) return account === undefined ? [`${device._id} is nobody's`] : [];
  const isNamed = truths.get(String(owner))?.['esn'] === device._id;
  return isNamed && account === undefined ? [] : [`${device._id} is half made`];
}

function holderOf(truths: ReadonlyMap<string, Doc>, doc: Doc): Holder {
  const line = truths.get(String(doc['pvt_subscription_id'])) ?? doc;
  return { account: line['pvt_account_id'], cluster: line['pvt_cluster_id'] };
}

function auditCopies(
  stored: Stored,
  docs: readonly Doc[],
  truths: ReadonlyMap<string, Doc>,
): string[] {
  const wanted = new Map(
    docs.flatMap((doc): [string, Doc][] => {
      const { account, cluster } = holderOf(truths, doc);
      return cluster === OWN_CLUSTER ? [[`${account}/${doc._id}`, doc]] : [];
    }),
  );
  const found = new Map<string, Doc>();
  for (const [name, copies] of stored.databases) {
    if (!name.startsWith('account/')) continue;
    const account = name.slice('account/'.length).replaceAll('/', '');
    for (const copy of copies.values()) {
      const isDevice = copy['pvt_type'] === 'device' && copy['pvt_source_db'] === undefined;
      const isCopy = copy['pvt_type'] === 'subscription' || isDevice;
      if (isCopy) found.set(`${account}/${copy._id}`, copy);
    }
  }
  const missing = [...wanted].flatMap(([place, doc]) => {
    const copy = found.get(place);
    if (copy === undefined) return [`${place} is not copied`];
    return text(copy) === text(doc) ? [] : [`${place} is not as its truth`];
  });
  const orphans = [...found.keys()].filter((place) => !wanted.has(place));
  return [...missing, ...orphans.map((place) => `${place} is an orphan`)];
}

/** What a copy must have of its truth; whose it is stands in the copies of devices alone. */
function text(doc: Doc): string {
  const own = ['_rev', 'pvt_account_id', 'pvt_account_db', 'pvt_cluster_id'];
  const members = Object.entries(doc).filter(([name]) => !own.includes(name));
  return JSON.stringify(members.sort(([a], [b]) => (a < b ? -1 : 1)));
}
