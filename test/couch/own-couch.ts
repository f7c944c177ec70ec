import { type CouchOptions, createCouch } from '../../src/couch/client.js';
import type { Couch } from '../../src/couch/types.js';
import { storeUrl, uniquePrefix } from '../support/store.js';

export interface OwnCouch {
  readonly couch: Couch;
  readonly dbPrefix: string;
  /** Another client of the same databases, as another process would have. */
  another(options?: Partial<CouchOptions>): Couch;
  /** Deletes all databases of this test file. */
  cleanUp(): Promise<void>;
}

/** Databases of its own for one test file, in the store that the tests run on. */
export function openOwnCouch(): OwnCouch {
  const dbPrefix = uniquePrefix();
  const clients: Couch[] = [];
  const another = (options: Partial<CouchOptions> = {}): Couch => {
    const client = createCouch({ url: storeUrl(), dbPrefix, timeoutMs: 10_000, ...options });
    clients.push(client);
    return client;
  };
  const couch = another();
  return {
    couch,
    dbPrefix,
    another,
    async cleanUp() {
      for (const name of await couch.listDatabases('')) await couch.destroyDatabase(name);
      await Promise.all(clients.map((client) => client.close()));
    },
  };
}

/** The error that a promise rejects with; fails when it resolves. */
export async function failure(promise: Promise<unknown>): Promise<unknown> {
  const outcome = await promise.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  if ('error' in outcome) return outcome.error;
  throw new Error(`it resolved to ${JSON.stringify(outcome.value)}`);
}
