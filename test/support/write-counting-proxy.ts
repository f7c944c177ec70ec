import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** One write on its way: counted from 1, in the order in which they reach the store. */
export interface Write {
  readonly n: number;
  /** Method and database, and what kind of document where that tells operations apart. */
  readonly label: string;
}

/** Before the store sees a write, and when the store has done it and nobody knows yet. */
export type Moment = 'before' | 'after';

/** What becomes of a write; `drop`: it goes no further, in neither direction. */
export type OnWrite = (write: Write, moment: Moment) => Promise<'go on' | 'drop'>;

export interface WriteCountingProxy {
  /** With the store's user and password. */
  readonly url: string;
  /** Counts from 1 again; the writes from now on are told to `onWrite`. */
  watch(onWrite?: OnWrite): void;
  /** The labels of the writes that the store has done since `watch`. */
  readonly landed: readonly string[];
  /** Resolves when the store has answered a request whose path has that text. */
  answered(path: string): Promise<void>;
  close(): Promise<void>;
}

/**
 * A proxy between a service and its store that knows reads from writes. A write is a PUT, a DELETE
 * or a POST that stores documents; every other POST asks something.
 */
export async function startWriteCountingProxy(target: string): Promise<WriteCountingProxy> {
  const base = new URL(target);
  let onWrite: OnWrite = async () => 'go on';
  let seen = 0;
  const answers: string[] = [];
  const waiting = new Set<() => void>();
  const landed: string[] = [];

  async function pass(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const body = await receive(incoming);
    if (!isWrite(incoming)) {
      await send(await ask(base, incoming, body), outgoing);
      return;
    }
    seen += 1;
    const write = { n: seen, label: labelOf(incoming) };
    if ((await onWrite(write, 'before')) === 'drop') return;
    const answer = await ask(base, incoming, body);
    landed.push(write.label);
    if ((await onWrite(write, 'after')) === 'drop') return;
    await send(answer, outgoing);
  }

  const server = createServer((incoming, outgoing) => {
    pass(incoming, outgoing)
      .catch(() => outgoing.destroy())
      .finally(() => {
        answers.push(incoming.url ?? '');
        for (const look of waiting) look();
      });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = new URL(target);
  url.host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url: url.href.replace(/\/$/, ''),
    landed,
    answered: (path) =>
      new Promise((resolve) => {
        const look = () => {
          if (!answers.some((each) => each.includes(path))) return;
          waiting.delete(look);
          resolve();
        };
        waiting.add(look);
        look();
      }),
    watch(next = async () => 'go on') {
      onWrite = next;
      seen = 0;
      landed.length = 0;
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function isWrite({ method, url = '' }: IncomingMessage): boolean {
  if (method === 'POST') return /\/_bulk_docs(\?|$)/.test(url) || /^\/[^/]+(\?|$)/.test(url);
  return method === 'PUT' || method === 'DELETE';
}

/** Ids differ from run to run; the same operation must have the same labels every time. */
function labelOf({ method, url = '' }: IncomingMessage): string {
  const [path = ''] = url.split('?');
  const [database = '', ...rest] = path.slice(1).split('/').map(decodeURIComponent);
  const name = database.replace(/^.*account\/.*$/, 'account/…').replace(/^[a-z]\w*-\w+-/, '');
  const isDesign = rest[0] === '_design';
  const isDevice = /^(?:[0-9A-F]{8}|[0-9A-F]{14})$/.test(rest[0] ?? '');
  const kind = isDevice ? 'device' : /^([a-z_]+):/.exec(rest[0] ?? '')?.[1];
  const what = isDesign || rest[0] === '_bulk_docs' ? rest[0] : (kind ?? (rest.length && 'doc'));
  return [method, name, what].filter(Boolean).join(' ');
}

interface StoreAnswer {
  readonly status: number;
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly body: Buffer;
}

function ask(base: URL, incoming: IncomingMessage, body: Buffer): Promise<StoreAnswer> {
  return new Promise((resolve, reject) => {
    const asked = request(
      {
        host: base.hostname,
        port: base.port,
        method: incoming.method,
        // As it came: parsing it would hide what the service really sent.
        path: incoming.url,
        headers: { ...incoming.headers, host: base.host },
      },
      (answer) => {
        receive(answer).then(
          (bytes) =>
            resolve({ status: answer.statusCode ?? 500, headers: answer.headers, body: bytes }),
          reject,
        );
      },
    );
    asked.on('error', reject);
    asked.end(body);
  });
}

async function send(answer: StoreAnswer, outgoing: ServerResponse): Promise<void> {
  const { 'transfer-encoding': _, connection: __, ...headers } = answer.headers;
  outgoing.writeHead(answer.status, { ...headers, 'content-length': answer.body.length });
  outgoing.end(answer.body);
}

async function receive(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
