import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** What the way to the store is like. */
export type Weather =
  | 'fine'
  /** New connections are reset, open ones too. */
  | 'refused'
  /** Nobody listens any more. */
  | 'gone'
  /** Connections open, and no byte comes back. */
  | 'silent'
  /** Every answer ends after a few bytes, in the middle of its head. */
  | 'cut in the head'
  /** Every answer loses its last bytes and its connection. */
  | 'cut in the body'
  /** Every answer comes late, but it comes. */
  | 'slow'
  /** Answers come in little pieces, a few hundred bytes a second. */
  | 'trickling';

/** What becomes of one answer, which the store has given in full. */
export interface Spoiling {
  /** Tried on the request's first line, `GET /db/doc HTTP/1.1`. */
  readonly request: RegExp;
  /** Counted from 1 among the requests that match from now on; default: each of them. */
  readonly nth?: number;
  /** So much of it arrives, head included. */
  readonly afterBytes: number;
  /** The connection is closed, is reset, or stays open without another byte. */
  readonly how: 'FIN' | 'RST' | 'stall';
}

/** One answer that came by: the request's first line, and what the store sent. */
export interface PassedAnswer {
  readonly line: string;
  readonly bytes: number;
  readonly text: string;
}

export interface FaultyProxy {
  /** The store's address by way of the proxy, with user and password. */
  readonly url: string;
  /** From now on, for open connections as well; ends any flapping. */
  turn(weather: Weather): void;
  /** Fine for `upMs`, then bad for `downMs`, and so on; it begins with the bad. */
  flap(weather: Weather, times: { upMs: number; downMs: number }): void;
  /** Spoils answers until `turn` or another call; without an argument no more. */
  spoil(spoiling?: Spoiling): void;
  /** The last answer to a request that matched, whether or not it was spoilt. */
  lastAnswer(request: RegExp): PassedAnswer | undefined;
  /** Connections of clients that are open now. */
  openConnections(): number;
  /** Connections that clients have opened in all. */
  readonly accepted: number;
  close(): Promise<void>;
}

const HEAD_BYTES = 20;
const LOST_BYTES = 5;
const SLOW_MS = 25;
const TRICKLE_BYTES = 16;
const TRICKLE_MS = 40;
const ANSWERS_KEPT = 50;

/** The one exchange that a connection carries now; clients of ours do not pipeline. */
interface Carried {
  line: string;
  received: Buffer[];
  /** Bytes of the answer that came from the store. */
  bytes: number;
  spoiling: Spoiling | undefined;
  isOver: boolean;
}

function carry(): Carried {
  return { line: '', received: [], bytes: 0, spoiling: undefined, isOver: false };
}

/** Which answers are spoilt, and what has passed. */
function createJudge() {
  const passed: Carried[] = [];
  let wanted: Spoiling | undefined;
  let seen = 0;
  return {
    spoil(spoiling: Spoiling | undefined): void {
      wanted = spoiling;
      seen = 0;
    },
    /** Called once for each request, when its first line is known. */
    meet(exchange: Carried): void {
      passed.push(exchange);
      if (passed.length > ANSWERS_KEPT) passed.shift();
      if (wanted === undefined || !wanted.request.test(exchange.line)) return;
      seen += 1;
      if (wanted.nth === undefined || wanted.nth === seen) exchange.spoiling = wanted;
    },
    last(request: RegExp): PassedAnswer | undefined {
      const found = passed.findLast(({ line }) => request.test(line));
      if (found === undefined) return undefined;
      const text = Buffer.concat(found.received).toString('latin1');
      return { line: found.line, bytes: found.bytes, text };
    },
  };
}

/** A TCP proxy before the store at `target`, on a port of the system's choice or a given one. */
export async function startFaultyProxy(target: string, port = 0): Promise<FaultyProxy> {
  const store = new URL(target);
  const sockets = new Set<Socket>();
  const clients = new Set<Socket>();
  const judge = createJudge();
  let weather: Weather = 'fine';
  let flapping: NodeJS.Timeout | undefined;
  let accepted = 0;

  function keep(socket: Socket): void {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
  }

  async function passBack(client: Socket, chunk: Buffer): Promise<void> {
    if (weather === 'slow') await sleep(SLOW_MS);
    if (weather === 'trickling') await trickle(client, chunk, () => weather === 'trickling');
    else if (weather === 'silent') return;
    else if (weather === 'cut in the head') client.end(chunk.subarray(0, HEAD_BYTES));
    else if (weather === 'cut in the body') client.end(chunk.subarray(0, -LOST_BYTES));
    else client.write(chunk);
  }

  const server = createServer((client) => {
    keep(client);
    clients.add(client);
    accepted += 1;
    client.on('close', () => clients.delete(client));
    if (weather === 'refused') {
      client.resetAndDestroy();
      return;
    }
    const upstream = connect(Number(store.port), store.hostname);
    keep(upstream);
    let exchange = carry();
    client.on('data', (chunk: Buffer) => {
      if (weather === 'silent') return;
      if (exchange.bytes > 0) exchange = carry();
      if (exchange.line === '') {
        exchange.line = chunk.toString('latin1').split('\r\n', 1)[0] ?? '';
        judge.meet(exchange);
      }
      upstream.write(chunk);
    });
    let passing = Promise.resolve();
    upstream.on('data', (chunk: Buffer) => {
      const { spoiling } = exchange;
      exchange.received.push(chunk);
      exchange.bytes += chunk.length;
      if (spoiling === undefined) passing = passing.then(() => passBack(client, chunk));
      else spoilAnswer(client, chunk, exchange, spoiling);
    });
    client.on('close', () => upstream.destroy());
    upstream.on('close', () => {
      if (!exchange.isOver) client.destroy();
    });
  });
  const listen = (at: number) =>
    new Promise<void>((resolve) => server.listen(at, '127.0.0.1', resolve));
  await listen(port);
  const url = new URL(target);
  const ownPort = (server.address() as AddressInfo).port;
  url.host = `127.0.0.1:${ownPort}`;

  function dropAll(): void {
    for (const socket of sockets) socket.destroy();
  }

  function change(next: Weather): void {
    if (weather === 'silent' || next === 'refused' || next === 'gone') dropAll();
    if (next === 'gone' && weather !== 'gone') server.close();
    if (next !== 'gone' && weather === 'gone') void listen(ownPort);
    weather = next;
  }

  function turn(next: Weather): void {
    clearTimeout(flapping);
    judge.spoil(undefined);
    change(next);
  }

  return {
    url: url.href.replace(/\/$/, ''),
    turn,
    flap(bad, { upMs, downMs }) {
      const switchTo = (isUp: boolean) => {
        change(isUp ? 'fine' : bad);
        flapping = setTimeout(() => switchTo(!isUp), isUp ? upMs : downMs);
      };
      clearTimeout(flapping);
      switchTo(false);
    },
    spoil: judge.spoil,
    lastAnswer: judge.last,
    openConnections: () => clients.size,
    get accepted() {
      return accepted;
    },
    async close() {
      clearTimeout(flapping);
      dropAll();
      if (server.listening) await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Passes on what is left of the answer's share, and ends it as it is to end. */
function spoilAnswer(client: Socket, chunk: Buffer, exchange: Carried, spoiling: Spoiling): void {
  if (exchange.isOver) return;
  const before = exchange.bytes - chunk.length;
  const part = chunk.subarray(0, spoiling.afterBytes - before);
  if (exchange.bytes < spoiling.afterBytes) {
    client.write(part);
    return;
  }
  exchange.isOver = true;
  if (spoiling.how === 'FIN') client.end(part);
  else if (spoiling.how === 'stall') client.write(part);
  // A reset that overtook the bytes would be one after fewer bytes.
  else client.write(part, () => setImmediate(() => client.resetAndDestroy()));
}

async function trickle(client: Socket, chunk: Buffer, goesOn: () => boolean): Promise<void> {
  let at = 0;
  while (at < chunk.length && goesOn() && !client.destroyed) {
    client.write(chunk.subarray(at, at + TRICKLE_BYTES));
    at += TRICKLE_BYTES;
    await sleep(TRICKLE_MS);
  }
  if (!client.destroyed) client.write(chunk.subarray(at));
}
