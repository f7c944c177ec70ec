import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** A TCP proxy before a store, to take the store away while everybody runs. */
export interface CuttableProxy {
  /** The store's address by way of the proxy, with its user and password. */
  readonly url: string;
  /** Ends every connection; new ones are closed at once. */
  cut(): void;
  /** Connections are taken and nothing is ever answered; those that are open go silent. */
  silence(): void;
  /** New connections reach the store again. */
  mend(): void;
  close(): Promise<void>;
}

/** Starts a proxy before the store at `target`, on a port of its own. */
export async function startCuttableProxy(target: string): Promise<CuttableProxy> {
  const { hostname, port } = new URL(target);
  const pairs = new Set<readonly [client: Socket, store: Socket | undefined]>();
  let mode: 'through' | 'cut' | 'silent' = 'through';

  const server = createServer((client) => {
    client.on('error', () => undefined);
    if (mode === 'cut') {
      client.resetAndDestroy();
      return;
    }
    const store = mode === 'silent' ? undefined : connect(Number(port || 80), hostname);
    const pair = [client, store] as const;
    pairs.add(pair);
    const end = () => {
      pairs.delete(pair);
      client.destroy();
      store?.destroy();
    };
    client.on('close', end);
    if (store === undefined) return;
    store.on('error', end);
    store.on('close', end);
    client.pipe(store);
    store.pipe(client);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = new URL(target);
  url.host = `127.0.0.1:${(server.address() as AddressInfo).port}`;

  function dropAll(): void {
    for (const [client, store] of pairs) {
      client.destroy();
      store?.destroy();
    }
    pairs.clear();
  }

  return {
    url: url.toString().replace(/\/$/, ''),
    cut() {
      mode = 'cut';
      dropAll();
    },
    silence() {
      mode = 'silent';
      for (const [client, store] of pairs) {
        client.unpipe();
        store?.unpipe();
      }
    },
    mend() {
      mode = 'through';
      dropAll();
    },
    async close() {
      dropAll();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
