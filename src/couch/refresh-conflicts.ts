import { databases } from './databases.js';
import { isMissingDatabase } from './store-errors.js';
import type { Couch, DatabaseName, ResolvedConflicts } from './types.js';

/** Longer than a write looks for its rivals: what is younger is still being settled. */
const SETTLED_MS = 60_000;
const BATCH = 500;

/** What nobody else may decide, beside the databases of accounts. */
const DECIDING: readonly DatabaseName[] = [
  databases.claims,
  databases.dedicatedIps,
  databases.authorizedIps,
  databases.subscriptions,
  databases.ports,
  databases.clusters,
  databases.mvnos,
  databases.routing,
  databases.operators,
  databases.sipAuth,
  databases.accounts,
];

/** What a refresh of conflicts changed. */
export interface ConflictRefresh {
  readonly hiddenRevisionsRemoved: number;
}

export interface ConflictRefreshDeps {
  readonly couch: Couch;
  /** Unix milliseconds. */
  readonly now: () => number;
  readonly log: { warn(message: string, details: Record<string, unknown>): void };
}

/**
 * Removes revisions that lie hidden behind the documents that are read, in every database whose
 * documents decide something: what a split cluster, a replication or a killed process leaves. The
 * winner stays, and whatever is derived of it follows with the other parts of a refresh.
 * Each one is logged. Running it twice changes nothing. See docs/decisions/0010.
 */
export function createConflictRefresh(
  deps: ConflictRefreshDeps,
): (signal?: AbortSignal) => Promise<ConflictRefresh> {
  return async (signal) => {
    let hiddenRevisionsRemoved = 0;
    const accountDatabases = await deps.couch.listDatabases('account/');
    for (const name of [...DECIDING, ...accountDatabases]) {
      if (signal?.aborted) break;
      hiddenRevisionsRemoved += await refreshDatabase(deps, name, signal);
    }
    return { hiddenRevisionsRemoved };
  };
}

/** An account can be purged while we are at it. */
function whenGone(error: unknown): ResolvedConflicts {
  if (isMissingDatabase(error)) return { removed: [], nextId: undefined };
  throw error;
}

async function refreshDatabase(
  deps: ConflictRefreshDeps,
  name: DatabaseName,
  signal: AbortSignal | undefined,
): Promise<number> {
  const db = deps.couch.database(name);
  const olderThanMs = deps.now() - SETTLED_MS;
  let count = 0;
  let startId: string | undefined;
  do {
    const from = startId === undefined ? {} : { startId };
    const { removed, nextId } = await db
      .resolveConflicts({ limit: BATCH, olderThanMs, ...from })
      .catch(whenGone);
    for (const { id, rev } of removed) {
      deps.log.warn('a hidden revision was removed', { database: name, id, rev });
    }
    count += removed.length;
    startId = nextId;
  } while (startId !== undefined && !signal?.aborted);
  return count;
}
