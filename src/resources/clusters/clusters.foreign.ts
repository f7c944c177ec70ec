import { createHash } from 'node:crypto';
import type { Caller } from '../../core/caller.js';
import { AppError } from '../../core/errors.js';
import { isJsonObject, parseJson } from '../../core/json.js';
import { currentOperation } from '../../core/operation.js';
import type { Cluster } from './clusters.doc.js';
import { type ClusterPeer, type ForeignToken, unreachable } from './clusters.peer.js';
import { createVerdicts } from './clusters.verdicts.js';

export interface ForeignDeps {
  readonly findOwnClusterId: () => Promise<string>;
  readonly findMasterClusterId: () => Promise<string>;
  readonly findCluster: (clusterId: string) => Promise<Cluster | undefined>;
  /** Whether a signing key of ours has that id, now or ever. */
  readonly isOwnKid: (kid: string) => Promise<boolean>;
  /** The API key of a cluster in clear. */
  readonly openKey: (cluster: Cluster) => string;
  readonly peer: ClusterPeer;
  /** Unix milliseconds. */
  readonly now: () => number;
  readonly timeoutMs: number;
}

/** How long another cluster is believed (contract §4). */
const KNOWN_MS = 60_000;
/** How long a refusal is believed: the token may be one that is just being made. */
const REFUSED_MS = 3_000;
const MAX_TOKENS = 5_000;
const MAX_MASTERS = 1_000;
/** Different questions to one cluster at the same time; a stalled one must not hold us as well. */
const MAX_ASKING = 100;
/** Printable characters, as a header takes them. */
const TOKEN = /^[\x21-\x7e]{1,4096}$/;
/** The form of our key ids. */
const KID = /^[0-9a-f]{32}$/;
/** Key ids that are looked up for one token: a JWT has one, and every look-up is a read. */
const MAX_KIDS = 4;
/** How every protected header of a JWT begins, whatever stands before it or around it. */
const JWT_HEADER = /(?=(eyJ[A-Za-z0-9_-]*))/g;

function wrongToken(): AppError {
  return new AppError('unauthenticated', 'invalid credentials');
}

function kidOf(header: string): string | undefined {
  try {
    const parsed = parseJson(Buffer.from(header, 'base64url'));
    const kid = isJsonObject(parsed) ? parsed['kid'] : undefined;
    return typeof kid === 'string' && KID.test(kid) ? kid : undefined;
  } catch {
    return undefined;
  }
}

/** Every key id in a text, so that a token of ours that a client has mangled is known as well. */
function kidsIn(token: string): readonly string[] {
  return [...token.matchAll(JWT_HEADER)].flatMap(([, header = '']) => kidOf(header) ?? []);
}

/** Waits for what others may be waiting for too, and no longer than our own answer may take. */
async function untilDeadline<T>(answer: Promise<T>): Promise<T> {
  const deadlineAt = currentOperation()?.deadlineAt;
  if (deadlineAt === undefined) return answer;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    const fail = () => reject(unreachable('it did not answer in time'));
    timer = setTimeout(fail, Math.max(0, deadlineAt - Date.now()));
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Callers with tokens of other clusters (contract §4): the cluster that a request names is asked
 * whether the token is good, and which account its API key is of, which is its master account.
 * Without an answer nobody gets in.
 */
export function createForeign(deps: ForeignDeps) {
  const { peer, now } = deps;
  const asking = new Map<string, number>();
  const tokens = createVerdicts<ForeignToken | undefined>({
    now,
    max: MAX_TOKENS,
    maxAgeMs: KNOWN_MS,
    ageOf: (told) => {
      if (told === undefined) return REFUSED_MS;
      return told.expiresAt === undefined ? KNOWN_MS : told.expiresAt * 1000 - now();
    },
  });
  const masters = createVerdicts<string | undefined>({
    now,
    max: MAX_MASTERS,
    maxAgeMs: KNOWN_MS,
    ageOf: (accountId) => (accountId === undefined ? REFUSED_MS : KNOWN_MS),
  });

  async function inTurn<T>(cluster: Cluster, ask: () => Promise<T>): Promise<T> {
    const running = asking.get(cluster.id) ?? 0;
    if (running >= MAX_ASKING) throw unreachable('it is asked too much at once');
    asking.set(cluster.id, running + 1);
    try {
      return await ask();
    } finally {
      const left = (asking.get(cluster.id) ?? 1) - 1;
      if (left === 0) asking.delete(cluster.id);
      else asking.set(cluster.id, left);
    }
  }

  async function askToken(cluster: Cluster, token: string): Promise<ForeignToken | undefined> {
    const kids = new Set(kidsIn(token));
    if (kids.size > MAX_KIDS) return undefined;
    // A token that we signed opens our doors: nobody else may see it, whatever is wrong with it.
    for (const kid of kids) if (await deps.isOwnKid(kid)) return undefined;
    return inTurn(cluster, () => peer.askToken(cluster.apiUrl, token));
  }

  async function findMaster(cluster: Cluster): Promise<string> {
    const ask = () => peer.askKey(cluster.apiUrl, deps.openKey(cluster));
    const place = `${cluster.id} ${cluster.revision}`;
    const accountId = await untilDeadline(masters.get(place, () => inTurn(cluster, ask)));
    // That the key is wrong is our fault and not the caller's.
    if (accountId === undefined) throw unreachable('it does not take our API key');
    return accountId;
  }

  async function findNamed(clusterId: string | undefined): Promise<Cluster> {
    if (clusterId === undefined) throw wrongToken();
    // The tokens of our own cluster are judged here, and this one was found wanting.
    if (clusterId === (await deps.findOwnClusterId())) throw wrongToken();
    const cluster = await deps.findCluster(clusterId);
    if (cluster === undefined) throw wrongToken();
    return cluster;
  }

  return {
    async findForeign(token: string, clusterId: string | undefined): Promise<Caller> {
      const cluster = await findNamed(clusterId);
      if (!TOKEN.test(token)) throw wrongToken();
      const hash = createHash('sha256').update(token).digest('hex');
      const place = `${hash} ${cluster.id} ${cluster.revision}`;
      const told = await untilDeadline(tokens.get(place, () => askToken(cluster, token)));
      if (told === undefined) throw wrongToken();
      const [masterId, masterClusterId] = await Promise.all([
        findMaster(cluster),
        deps.findMasterClusterId(),
      ]);
      const isMaster = told.accountId === masterId;
      const { id } = cluster;
      return {
        accountId: told.accountId,
        ...(told.userId === undefined ? {} : { userId: told.userId }),
        homeClusterId: id,
        // Its own cluster may have made it an administrator; here it is a stranger.
        isSuperduper: false,
        isAdmin: false,
        token: {
          // No id of a token of ours looks like this, so nothing done to it can end one of ours.
          id: `${id}:${hash}`,
          accountId: told.accountId,
          method: 'foreign',
          identitySig: '',
          expiresAt: told.expiresAt ?? Math.floor((now() + KNOWN_MS) / 1000),
        },
        cluster: { id, isOwn: false, isMaster, isSuperMaster: isMaster && id === masterClusterId },
      };
    },
  };
}
