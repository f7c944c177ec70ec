import { type Exchange, requireJsonType, sendJson } from './exchange.js';
import { NODE } from './replication-job.js';
import type { Route } from './router.js';
import type { WithDatabase } from './with-database.js';

const WHOLE_RANGE = '00000000-ffffffff';

/** What a cluster tells of its shards: here all documents are in the one shard of the one node. */
export function shardRoutes(withDatabase: WithDatabase): readonly Route[] {
  return [
    {
      path: '/:db/_shards',
      access: 'member',
      methods: {
        GET: withDatabase(async (x) => sendJson(x, 200, { shards: { [WHOLE_RANGE]: [NODE] } })),
      },
    },
    {
      path: '/:db/_shards/:doc',
      access: 'member',
      methods: {
        GET: withDatabase(async (x) => sendJson(x, 200, { range: WHOLE_RANGE, nodes: [NODE] })),
      },
    },
    { path: '/:db/_sync_shards', methods: { POST: withDatabase(accept) } },
  ];
}

async function accept(x: Exchange): Promise<void> {
  requireJsonType(x);
  sendJson(x, 202, { ok: true });
}
