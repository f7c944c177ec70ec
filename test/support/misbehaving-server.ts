import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What becomes of one request. Everything without a fault goes to the target unchanged. */
export type Fault =
  /** This answer, whatever was asked. */
  | {
      readonly kind: 'answer';
      readonly status: number;
      readonly body?: string;
      readonly headers?: Readonly<Record<string, string>>;
    }
  /** Less of a body than its Content-Length says. */
  | { readonly kind: 'truncated'; readonly body: string; readonly type?: string }
  /** A chunked body without its end. */
  | {
      readonly kind: 'cut';
      readonly body: string;
      readonly type?: string;
      readonly status?: number;
    }
  /** The connection is reset before any answer. */
  | { readonly kind: 'reset' }
  /** Nothing, ever. */
  | { readonly kind: 'silence' }
  /** Headers and half a body, then nothing. */
  | { readonly kind: 'stall'; readonly body: string }
  /** The target acts on the request and its answer is lost with the connection. */
  | { readonly kind: 'lost' }
  /** The target acts on the request and its answer never comes. */
  | { readonly kind: 'withheld' }
  /** The target acts on the request and its answer is cut short. */
  | { readonly kind: 'garbled' }
  /** The target's own answer, that much later. */
  | { readonly kind: 'lag'; readonly ms: number }
  /** The target acts on the request and says that fewer nodes than a majority did (202). */
  | { readonly kind: 'accepted' }
  /** The target gets the request twice; the second answer counts. */
  | { readonly kind: 'twice' };

export interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
}

export interface MisbehavingServer {
  /** With the target's user and password. */
  readonly url: string;
  readonly seen: readonly Seen[];
  /** The next requests of the method (default: any) meet these faults, in order. */
  fail(faults: readonly Fault[], method?: string): void;
  /** From now on every request whose path matches is answered with 500. */
  refuse(path: RegExp): void;
  /** All faults that are left over are forgotten. */
  behave(): void;
  close(): Promise<void>;
}

/** A proxy before a store that misbehaves on demand; it is up all the same. */
export async function startMisbehavingServer(target?: string): Promise<MisbehavingServer> {
  const seen: Seen[] = [];
  let refused: RegExp | undefined;
  let queue: { fault: Fault; method: string | undefined }[] = [];
  const server = createServer((incoming, outgoing) => {
    void receive(incoming).then((body) => {
      const { method = '', url = '', headers } = incoming;
      const one = { method, url, headers, body };
      if (isBreakersProbe(one)) {
        void act(undefined, target, one, outgoing).catch(() => outgoing.destroy());
        return;
      }
      seen.push(one);
      if (refused?.test(url)) {
        void act({ kind: 'answer', status: 500 }, target, one, outgoing);
        return;
      }
      const at = queue.findIndex((entry) => entry.method === undefined || entry.method === method);
      const [entry] = at < 0 ? [] : queue.splice(at, 1);
      void act(entry?.fault, target, one, outgoing).catch(() => outgoing.destroy());
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = new URL(target ?? 'http://user:secret@127.0.0.1');
  url.host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url: url.toString(),
    seen,
    fail(faults, method) {
      queue.push(...faults.map((fault) => ({ fault, method })));
    },
    refuse(path) {
      refused = path;
    },
    behave() {
      refused = undefined;
      queue = [];
      seen.length = 0;
    },
    async close() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

/**
 * A client that met faults asks on a connection of its own whether the store is up. The faults here
 * are those of single calls, so that question meets none, and nobody counts it.
 */
function isBreakersProbe({ url, headers }: Seen): boolean {
  return url === '/_up' && headers['connection'] === 'close';
}

async function act(
  fault: Fault | undefined,
  target: string | undefined,
  seen: Seen,
  outgoing: ServerResponse,
): Promise<void> {
  switch (fault?.kind) {
    case 'answer':
      outgoing.writeHead(fault.status, { 'content-type': 'application/json', ...fault.headers });
      outgoing.end(fault.body ?? '');
      return;
    case 'truncated':
      outgoing.writeHead(200, {
        'content-type': fault.type ?? 'application/json',
        'content-length': fault.body.length + 10,
      });
      outgoing.write(fault.body, () => outgoing.destroy());
      return;
    case 'cut':
      outgoing.writeHead(fault.status ?? 200, {
        'content-type': fault.type ?? 'application/json',
      });
      outgoing.write(fault.body, () => outgoing.destroy());
      return;
    case 'reset':
      outgoing.socket?.resetAndDestroy();
      return;
    case 'silence':
      return;
    case 'stall':
      outgoing.writeHead(200, { 'content-type': 'application/json' });
      outgoing.write(fault.body);
      return;
    case 'lost':
      await forward(target, seen);
      outgoing.destroy();
      return;
    case 'withheld':
      await forward(target, seen);
      return;
    case 'garbled': {
      const answer = await forward(target, seen);
      outgoing.writeHead(answer.status, { 'content-type': 'application/json' });
      outgoing.end(answer.body.slice(0, -5));
      return;
    }
    case 'accepted': {
      const answer = await forward(target, seen);
      outgoing.writeHead(202, { 'content-type': 'application/json' });
      outgoing.end(answer.body.replaceAll('"ok":true', '"ok":true,"accepted":true'));
      return;
    }
    case 'twice':
      await forward(target, seen);
      break;
    case 'lag':
      await new Promise((resolve) => setTimeout(resolve, fault.ms));
      break;
    case undefined:
      break;
  }
  const answer = await forward(target, seen);
  outgoing.writeHead(answer.status, { 'content-type': answer.type });
  outgoing.end(answer.body);
}

async function forward(
  target: string | undefined,
  seen: Seen,
): Promise<{ status: number; type: string; body: string }> {
  const base = new URL(target ?? 'http://127.0.0.1:1');
  const { method, headers } = seen;
  return new Promise((resolve, reject) => {
    const asked = request(
      {
        host: base.hostname,
        port: base.port,
        method,
        // As it came: parsing it would hide what the client really sent.
        path: seen.url,
        headers: { ...headers, host: base.host, 'accept-encoding': 'identity' },
      },
      (answer) => {
        receive(answer).then((body) => {
          const type = answer.headers['content-type'] ?? 'application/json';
          resolve({ status: answer.statusCode ?? 500, type, body });
        }, reject);
      },
    );
    asked.on('error', reject);
    asked.end(seen.body);
  });
}

async function receive(message: IncomingMessage): Promise<string> {
  const chunks: string[] = [];
  message.setEncoding('utf8');
  for await (const chunk of message) chunks.push(String(chunk));
  return chunks.join('');
}
