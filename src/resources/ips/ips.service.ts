import { AppError, hasCode, InvalidError, type Issue } from '../../core/errors.js';
import { compareIps, type IpAddress, parseIp } from '../../core/ip-address.js';
import { isOfEarlierRun } from '../../core/operation.js';
import type { IpCopies } from './ips.copies.js';
import type { DedicatedIp } from './ips.doc.js';
import type { IpStore, ListedIp, SummarizedIp } from './ips.store.js';

/** What the service asks about accounts; wired in `app.ts`. */
export interface IpAccounts {
  /** Ancestors of an account, root first; undefined when there is no such account. */
  findTree(accountId: string): Promise<readonly string[] | undefined>;
  /** The same, at most a second old. */
  findRecentTree(accountId: string): Promise<readonly string[] | undefined>;
}

/** What came of a bulk assign or release: each address is in one of the two. */
export interface IpBatch {
  readonly success: ReadonlyMap<IpAddress, DedicatedIp>;
  readonly error: ReadonlyMap<IpAddress, 'already_assigned' | 'not_found' | 'conflict'>;
}

/** Throws when the caller's If-Match names another revision. */
export type Match = (revision: string) => void;

export interface IpServiceDeps {
  readonly store: IpStore;
  readonly copies: IpCopies;
  readonly accounts: IpAccounts;
  /** The friendly name of this server's own zone, for the order of `assigned`. */
  readonly ownZone: () => Promise<string>;
}

/** Tries of one write against others who write the same address, at most. */
const MAX_TRIES = 8;

const noMatch: Match = () => undefined;

function issueAt(n: number, ip: IpAddress, rule: string, message: string): Issue {
  // One path element with a dot, which Kazoo shows as `ips%2E0` (kazoo-crossbar §0.4).
  return { path: [`ips.${n}`], rule, message, details: { value: ip } };
}

/** True in a repeat, for what an earlier run of it has assigned. */
function isOwnAssignment({ assignedTo, stored }: DedicatedIp, accountId: string): boolean {
  return assignedTo === accountId && isOfEarlierRun(stored['pvt_request_id']);
}

function assignIssue(found: DedicatedIp | undefined, accountId: string, n: number, ip: IpAddress) {
  if (found === undefined) return [issueAt(n, ip, 'not_found', 'ip not found')];
  if (found.assignedTo === undefined || isOwnAssignment(found, accountId)) return [];
  return found.assignedTo === accountId
    ? [issueAt(n, ip, 'superfluous', 'ip already assigned')]
    : [issueAt(n, ip, 'forbidden', 'ip assigned to another account')];
}

function releaseIssue(found: DedicatedIp | undefined, accountId: string, n: number, ip: IpAddress) {
  if (found === undefined) return [issueAt(n, ip, 'not_found', 'ip not found')];
  if (found.assignedTo === undefined) return [issueAt(n, ip, 'superfluous', 'ip not assigned')];
  return found.assignedTo === accountId
    ? []
    : [issueAt(n, ip, 'forbidden', 'ip assigned to another account')];
}

function notFound(ip: string): AppError {
  return new AppError('not_found', 'no such IP', { subject: ip });
}

/** What became of an address that another process wrote first. */
type Raced = 'done' | 'retry' | 'already_assigned' | 'not_found';

export type IpService = ReturnType<typeof createIpService>;

/** The pool's rules (contract §4; kazoo-crossbar §1): load and check everything, then write. */
export function createIpService(deps: IpServiceDeps) {
  const { store, copies } = deps;

  async function check(
    accountId: string,
    ips: readonly IpAddress[],
    match: Match,
    issuesOf: typeof assignIssue,
  ): Promise<DedicatedIp[]> {
    const found = await store.findMany([...new Set(ips)]);
    const issues = ips.flatMap((ip, n) => issuesOf(found.get(ip), accountId, n, ip));
    if (issues.length > 0) throw new InvalidError(issues);
    for (const ip of found.values()) {
      // The revision that the client named is the one before its own assignment.
      if (!isOwnAssignment(ip, accountId)) match(ip.revision);
    }
    return [...found.values()];
  }

  /** Writes each address; one that another write overtook is judged anew by `judge`. */
  async function writeEach(
    found: readonly DedicatedIp[],
    holder: string | undefined,
    judge: (current: DedicatedIp | undefined) => Raced,
  ): Promise<IpBatch> {
    const success = new Map<IpAddress, DedicatedIp>();
    const error = new Map<IpAddress, 'already_assigned' | 'not_found' | 'conflict'>();
    let pending = [...found];
    for (let tries = 1; pending.length > 0; tries += 1) {
      const writes = await store.hold(pending, holder);
      const lost = writes.flatMap((write) => (write.ok ? [] : [write.address]));
      for (const write of writes) if (write.ok) success.set(write.ip.ip, write.ip);
      const current = lost.length === 0 ? new Map() : await store.findMany(lost);
      pending = [];
      for (const address of lost) {
        const now: DedicatedIp | undefined = current.get(address);
        const verdict = judge(now);
        if (verdict === 'done' && now !== undefined) success.set(address, now);
        else if (verdict !== 'retry' && verdict !== 'done') error.set(address, verdict);
        else if (tries >= MAX_TRIES || now === undefined) error.set(address, 'conflict');
        else pending.push(now);
      }
    }
    return { success, error };
  }

  /** The surface's look at the account may be a second old, and maintenance takes any id. */
  async function requireAccount(accountId: string): Promise<void> {
    const { findTree, findRecentTree } = deps.accounts;
    const tree = (await findRecentTree(accountId)) ?? (await findTree(accountId));
    if (tree !== undefined) return;
    throw new AppError('not_found', 'no such account', { subject: accountId });
  }

  async function assign(
    accountId: string,
    ips: readonly IpAddress[],
    match: Match = noMatch,
  ): Promise<IpBatch> {
    const [found] = await Promise.all([
      check(accountId, ips, match, assignIssue),
      requireAccount(accountId),
    ]);
    const batch = await writeEach(found, accountId, (now) => {
      if (now === undefined) return 'not_found';
      if (now.assignedTo === undefined) return 'retry';
      return now.assignedTo === accountId ? 'done' : 'already_assigned';
    });
    return conclude(accountId, batch);
  }

  /** The end of every assignment: the copies, and a last look at the account. */
  async function conclude(accountId: string, batch: IpBatch): Promise<IpBatch> {
    const held = [...batch.success.values()];
    // A deletion marks the account and then releases: whichever is second sees the other. When the
    // account cannot be read now, the assignment stands and `refresh` judges it.
    const [isGone] = await Promise.all([
      deps.accounts.findTree(accountId).then(
        (current) => current === undefined,
        () => false,
      ),
      copies.place(accountId, held),
    ]);
    if (!isGone) return batch;
    await giveBack(accountId, held);
    throw new AppError('not_found', 'no such account', { subject: accountId });
  }

  /** Frees what the account still holds of these; those of others stay theirs. */
  async function giveBack(accountId: string, found: readonly DedicatedIp[]): Promise<IpBatch> {
    const batch = await writeEach(found, undefined, (now) => {
      if (now === undefined) return 'not_found';
      if (now.assignedTo === undefined) return 'done';
      return now.assignedTo === accountId ? 'retry' : 'already_assigned';
    });
    await copies.settleEventually(accountId, [...batch.success.keys()]);
    return batch;
  }

  async function release(
    accountId: string,
    ips: readonly IpAddress[],
    match: Match = noMatch,
  ): Promise<IpBatch> {
    return giveBack(accountId, await check(accountId, ips, match, releaseIssue));
  }

  /** Frees an address whoever holds it, for maintenance; `not_found` when the pool lacks it. */
  async function releaseAny(ip: IpAddress): Promise<DedicatedIp> {
    const found = await store.find(ip);
    if (found === undefined) throw notFound(ip);
    if (found.assignedTo === undefined) return found;
    const batch = await giveBack(found.assignedTo, [found]);
    const released = batch.success.get(ip);
    if (released === undefined) throw new AppError('conflict', `${batch.error.get(ip)}`);
    return released;
  }

  /** Frees everything an account holds; the accounts' side of a deletion. */
  async function releaseAll(accountId: string): Promise<number> {
    const held = (await store.listAssigned(accountId)).flatMap(({ ip }) => parseIp(ip) ?? []);
    const found = await store.findMany(held);
    const own = [...found.values()].filter((ip) => ip.assignedTo === accountId);
    return own.length === 0 ? 0 : (await giveBack(accountId, own)).success.size;
  }

  /** Takes an address out of the pool, assigned or not, its copy with it. */
  async function remove(ip: IpAddress, match: Match = noMatch): Promise<DedicatedIp> {
    for (let tries = 1; ; tries += 1) {
      const found = await store.find(ip);
      if (found === undefined) throw notFound(ip);
      match(found.revision);
      try {
        await store.remove(found);
      } catch (error) {
        if (!hasCode(error, 'conflict') || tries >= MAX_TRIES) throw error;
        continue;
      }
      if (found.assignedTo !== undefined) await copies.settleEventually(found.assignedTo, [ip]);
      return found;
    }
  }

  /** The address, if the account may know it: free, its own, or a descendant's. */
  async function get(
    ip: IpAddress,
    viewer: { accountId: string; seesAll: boolean },
  ): Promise<DedicatedIp> {
    const found = await store.findRecent(ip);
    if (found === undefined) throw notFound(ip);
    const holder = found.assignedTo;
    if (viewer.seesAll || holder === undefined || holder === viewer.accountId) return found;
    const tree = await deps.accounts.findTree(holder);
    if (tree?.includes(viewer.accountId)) return found;
    throw notFound(ip);
  }

  /** What an account holds: this server's own zone first, then by zone and address. */
  async function listAssigned(accountId: string): Promise<ListedIp[]> {
    const [rows, ownZone] = await Promise.all([store.listAssigned(accountId), deps.ownZone()]);
    return [...rows].sort(
      (a, b) =>
        Number(b.zone === ownZone) - Number(a.zone === ownZone) ||
        compareText(a.zone, b.zone) ||
        compareAddresses(a.ip, b.ip),
    );
  }

  return {
    assign,
    release,
    /** What allocation shares with assign. */
    assignments: { requireAccount, conclude, giveBack },
    releaseAny,
    releaseAll,
    remove,
    get,
    listAssigned,
    /** Adds an available address; `conflict` when the pool has it. */
    create: (fields: { ip: IpAddress; zone: string; host: string }): Promise<DedicatedIp> =>
      store.create(fields),
    /** Free addresses of a zone (all zones when undefined), `quantity` at most. */
    listAvailable: (zone: string | undefined, quantity: number): Promise<ListedIp[]> =>
      store.listAvailable(zone === '' ? undefined : zone, quantity),
    listZones: (): Promise<string[]> => store.listZones(),
    listHosts: (): Promise<string[]> => store.listHosts(),
    summarize: (host: string | undefined): Promise<SummarizedIp[]> => store.summarize(host),
  };
}

function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

function compareAddresses(a: string, b: string): number {
  const [left, right] = [parseIp(a), parseIp(b)];
  return left === undefined || right === undefined ? compareText(a, b) : compareIps(left, right);
}
