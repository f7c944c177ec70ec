import type { Page, PageRequest } from '../../core/paging.js';
import { createRecent } from '../../core/recent.js';
import { databases } from '../../couch/databases.js';
import { readPage } from '../../couch/listing.js';
import { putNew } from '../../couch/put-new.js';
import type { Couch, ViewName } from '../../couch/types.js';
import { type Cluster, fromDoc, type NewCluster, newDoc } from './clusters.doc.js';

/** How old what is known of a cluster may be, where nothing is written by it. */
const MAX_AGE_MS = 900;
const MAX_CLUSTERS = 1_000;
const CLUSTER_ID = /^[0-9a-f]{32}$/;
const LIST_BY_MVNO: ViewName = ['clusters', 'list_by_mvno'];

export type ClusterStore = ReturnType<typeof createClusterStore>;

/** Clusters in `kazoo_clusters-top`, by their ids. */
export function createClusterStore(deps: { couch: Couch; now: () => number }) {
  const db = deps.couch.database(databases.clusters);

  async function find(id: string): Promise<Cluster | undefined> {
    const doc = CLUSTER_ID.test(id) ? await db.find(id) : undefined;
    return doc === undefined ? undefined : fromDoc(doc);
  }

  const recent = createRecent({ maxAgeMs: MAX_AGE_MS, max: MAX_CLUSTERS, load: find });

  return {
    find,

    /** As find, for judging callers: what others wrote may be missing for a second. */
    findRecent: (id: string): Promise<Cluster | undefined> =>
      CLUSTER_ID.test(id) ? recent.get(id) : Promise.resolve(undefined),

    /** Adds a cluster; `conflict` when there is one of that id. */
    async create(cluster: NewCluster): Promise<Cluster> {
      const doc = await putNew(db, newDoc(cluster, deps.now()));
      recent.forget(cluster.id);
      return fromDoc(doc) as Cluster;
    },

    /** Deletes it; `conflict` when it changed since it was read. */
    async remove(cluster: Cluster): Promise<void> {
      await db.remove(cluster.stored);
      recent.forget(cluster.id);
    },

    /** Ids of the clusters that belong to an MVNO, at most a hundred. */
    async listByMvno(mvnoId: string): Promise<readonly string[]> {
      const rows = await db.view(LIST_BY_MVNO, { key: mvnoId, limit: 100 });
      return rows.flatMap(({ id }) => id ?? []);
    },

    /** A page of clusters, by their MVNOs. */
    async listPage(request: PageRequest): Promise<Page<Cluster>> {
      const page = await readPage(db, LIST_BY_MVNO, { prefix: [] }, request);
      const ids = page.rows.flatMap(({ id }) => id ?? []);
      const docs = await db.findMany(ids);
      const rows = ids.flatMap((id) => {
        const doc = docs.get(id);
        return doc === undefined ? [] : (fromDoc(doc) ?? []);
      });
      return { rows, next: page.next };
    },
  };
}
