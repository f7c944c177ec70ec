import type { CouchAnswer } from '../support/couch-call.js';
import { createAll, path, type Side, waitFor, writeAll } from './replication-rig.js';

/** Short ways to write and watch documents of `_replicator`. */
export interface JobKit {
  /** A source with some documents and the name of a target that is not there yet. */
  newPair(documents?: number): Promise<{ source: string; target: string }>;
  putJob(id: string, body: object): Promise<void>;
  removeJob(id: string): Promise<void>;
  /** What `_scheduler/docs` says of a document. */
  stateOf(id: string): Promise<CouchAnswer>;
  /** The same as soon as the document is in that state. */
  waitForState(id: string, state: string): Promise<CouchAnswer['json']>;
  countIn(db: string): Promise<number>;
}

/** The ways for one store; it is asked for each time, because tests start it again. */
export function createJobKit(ofStore: () => Side): JobKit {
  let count = 0;
  const stateOf = (id: string): Promise<CouchAnswer> =>
    ofStore().call('GET', `/_scheduler/docs${path('_replicator', id)}`);
  return {
    stateOf,
    async newPair(documents = 3) {
      count += 1;
      const [source, target] = [`jobs/source${count}`, `jobs/target${count}`];
      await createAll(ofStore(), source);
      const docs = Array.from({ length: documents }, (_, n) => ({ _id: `d${n}`, n }));
      await writeAll(ofStore(), source, docs);
      return { source, target };
    },
    async putJob(id, body) {
      const answer = await ofStore().call('PUT', path('_replicator', id), { body });
      expect(answer.status).toBe(201);
    },
    async removeJob(id) {
      const { json } = await ofStore().call('GET', path('_replicator', id));
      const at = `${path('_replicator', id)}?rev=${json._rev}`;
      expect((await ofStore().call('DELETE', at)).status).toBe(200);
    },
    waitForState: (id, state) =>
      waitFor(`${id} to be ${state}`, async () => {
        const { json } = await stateOf(id);
        return json.state === state ? json : undefined;
      }),
    async countIn(db) {
      return (await ofStore().call('GET', path(db))).json.doc_count;
    },
  };
}
