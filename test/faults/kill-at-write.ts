import {
  type ServiceProcess,
  sharedStoreEnv,
  startServiceProcess,
} from '../support/service-process.js';
import { storeUrl } from '../support/store.js';
import {
  type Moment,
  startWriteCountingProxy,
  type WriteCountingProxy,
} from '../support/write-counting-proxy.js';

/** A request, and the answer it gets from a service that nobody kills. */
export interface Subject {
  readonly method: string;
  readonly path: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly status: number;
}

/** Where the service died. */
export interface Kill {
  /** Counted from 1 among the writes of the request. */
  readonly write: number;
  readonly moment: Moment;
}

export interface Databases {
  readonly dbPrefix: string;
  readonly keyring: string;
  /** What else the services that are killed are started with. */
  readonly env?: Readonly<Record<string, string>>;
}

/** The last thing a service asks for after its start, when another has this lease. */
const LAST_OF_START = encodeURIComponent('lease:refresh');

/** A service of its own behind a counting proxy, done with everything it does after its start. */
async function openVictim(
  databases: Databases,
): Promise<{ proxy: WriteCountingProxy; service: ServiceProcess }> {
  const proxy = await startWriteCountingProxy(storeUrl());
  const env = { ...sharedStoreEnv(databases, proxy.url), ...databases.env };
  const service = await startServiceProcess({ env });
  await service.ready();
  await proxy.answered(LAST_OF_START);
  return { proxy, service };
}

/** The writes of each request, in order, made by one service that lives on. */
export async function listWrites(
  databases: Databases,
  token: string,
  subjects: readonly Subject[],
): Promise<string[][]> {
  const { proxy, service } = await openVictim(databases);
  const writes: string[][] = [];
  try {
    for (const { status, method, path, body, headers = {} } of subjects) {
      proxy.watch();
      const answer = await service.call(method, path, { token, body, headers });
      if (answer.status !== status) throw new Error(`${method} ${path}: ${answer.status}`);
      writes.push([...proxy.landed]);
    }
  } finally {
    await service.stop();
    await proxy.close();
  }
  return writes;
}

/** Kills a service of its own at that write; resolves to the writes that the store has done. */
export async function killAt(
  databases: Databases,
  token: string,
  subject: Subject,
  kill: Kill,
): Promise<string[]> {
  const { proxy, service } = await openVictim(databases);
  try {
    proxy.watch(async (write, moment) => {
      if (write.n !== kill.write || moment !== kill.moment) return 'go on';
      await service.kill();
      return 'drop';
    });
    const { method, path, body, headers = {} } = subject;
    const sent = service.call(method, path, { token, body, headers });
    const answer = await sent.catch(() => undefined);
    if (answer !== undefined) throw new Error(`the service lived on: ${JSON.stringify(answer)}`);
    return [...proxy.landed];
  } finally {
    await service.stop();
    await proxy.close();
  }
}

/** Every place where a request that makes so many writes can be killed. */
export function killsOf(writes: number): Kill[] {
  return Array.from({ length: writes }, (_, n) => n + 1).flatMap((write): Kill[] => [
    { write, moment: 'before' },
    { write, moment: 'after' },
  ]);
}

/** Runs the work for each item, so many at a time; results in the items' order. */
export async function forEachOf<T, R>(
  items: readonly T[],
  parallel: number,
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  const queue = items.entries();
  const run = async (): Promise<void> => {
    for (const [n, item] of queue) results[n] = await work(item);
  };
  await Promise.all(Array.from({ length: parallel }, run));
  return results;
}
