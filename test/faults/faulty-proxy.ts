import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** What the way to the store is like. */
export type Weather =
  | 'fine'
  /** New connections are reset, open ones too. */
  | 'refused'
  /** Connections open, and no byte comes back. */
  | 'silent'
  /** Every answer ends after a few bytes, in the middle of its head. */
  | 'cut in the head'
  /** Every answer loses its last bytes and its connection. */
  | 'cut in the body'
  /** Every answer comes late, but it comes. */
  | 'slow';

export interface FaultyProxy {
  /** The store's address by way of the proxy, with user and password. */
  readonly url: string;
  /** From now on, for open connections as well. */
  turn(weather: Weather): void;
  close(): Promise<void>;
}

const HEAD_BYTES = 20;
const LOST_BYTES = 5;
const SLOW_MS = 25;

/** A TCP proxy before the store at `target`, on a port of the system's choice or a given one. */
export async function startFaultyProxy(target: string, port = 0): Promise<FaultyProxy> {
  const store = new URL(target);
  const sockets = new Set<Socket>();
  let weather: Weather = 'fine';

  function keep(socket: Socket): void {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
  }

  async function passBack(client: Socket, chunk: Buffer): Promise<void> {
    if (weather === 'slow') await sleep(SLOW_MS);
    if (weather === 'silent') return;
    if (weather === 'cut in the head') client.end(chunk.subarray(0, HEAD_BYTES));
    else if (weather === 'cut in the body') client.end(chunk.subarray(0, -LOST_BYTES));
    else client.write(chunk);
  }

  const server = createServer((client) => {
    keep(client);
    if (weather === 'refused') {
      client.resetAndDestroy();
      return;
    }
    const upstream = connect(Number(store.port), store.hostname);
    keep(upstream);
    client.on('data', (chunk) => {
      if (weather === 'silent') return;
      upstream.write(chunk);
    });
    let passing = Promise.resolve();
    upstream.on('data', (chunk: Buffer) => {
      passing = passing.then(() => passBack(client, chunk));
    });
    client.on('close', () => upstream.destroy());
    upstream.on('close', () => client.destroy());
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const url = new URL(target);
  url.host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const dropAll = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    url: url.href.replace(/\/$/, ''),
    turn(next) {
      if (weather === 'silent' || next === 'refused') dropAll();
      weather = next;
    },
    async close() {
      dropAll();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
