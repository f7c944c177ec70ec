import type { Databases } from './databases.js';
import { ReplicationDocuments } from './replication-documents.js';
import { basicLogin, type OwnServer } from './replication-endpoint.js';
import { ReplicationJobs } from './replication-jobs.js';
import { replicationRoutes } from './replication-routes.js';
import { parseReplication } from './replication-spec.js';
import type { Route } from './router.js';

export interface ReplicatorOptions {
  readonly databases: Databases;
  readonly uuid: string;
  /** Replications read and write the store's own databases as this admin. */
  readonly admin: { readonly user: string; readonly password: string };
  readonly log: (event: Readonly<Record<string, unknown>>) => void;
}

/** The store as a replication peer that pulls and pushes by itself. */
export interface Replicator {
  readonly routes: readonly Route[];
  /** Starts what `_replicator` asks for; the front listens at `origin` by now. */
  start(origin: string): void;
  /** Ends all replications; they go on from their checkpoints when the store starts again. */
  stop(): Promise<void>;
}

/** Makes the replicator of a store. */
export function createReplicator(options: ReplicatorOptions): Replicator {
  const { databases, uuid, admin, log } = options;
  const own: OwnServer & { origin: string } = {
    origin: '',
    authorization: basicLogin(`${admin.user}:${admin.password}`),
  };
  const parse = (body: Readonly<Record<string, unknown>>) => parseReplication(body, own, uuid);
  const jobs = new ReplicationJobs(log);
  const documents = new ReplicationDocuments({ databases, jobs, parse, log });
  return {
    routes: replicationRoutes({ jobs, documents, own, parse }),
    start(origin) {
      own.origin = origin;
      documents.start();
    },
    async stop() {
      // The documents first: a job that is stopped must not be noted as ended.
      await documents.stop();
      await jobs.stop();
    },
  };
}
