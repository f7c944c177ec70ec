import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

const CHECK_EVERY_MS = 250;
const CHECK_MS = 2000;

export interface CheckingProxy {
  /** With the nodes' user and password. */
  readonly url: string;
  close(): Promise<void>;
}

interface Node {
  readonly base: URL;
  isUp: boolean;
}

/**
 * A proxy before the nodes of a cluster as a load balancer is: it asks every node whether it is up,
 * spreads requests over those that are, and sends a request to another node only when the first one
 * could not be connected. Without a node it answers 503, and not in CouchDB's words.
 */
export async function startCheckingProxy(urls: readonly string[]): Promise<CheckingProxy> {
  const nodes: Node[] = urls.map((url) => ({ base: new URL(url), isUp: true }));
  const agent = new Agent({ keepAlive: true });
  let turn = 0;

  const check = setInterval(() => {
    for (const node of nodes)
      void isUp(node.base).then((now) => Object.assign(node, { isUp: now }));
  }, CHECK_EVERY_MS);

  async function pass(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    turn += 1;
    const order = nodes.map((_, n) => nodes[(turn + n) % nodes.length] as Node);
    for (const node of order.filter((each) => each.isUp)) {
      const outcome = await forward(agent, node.base, incoming, Buffer.concat(chunks), outgoing);
      if (outcome === 'passed') return;
      node.isUp = false;
    }
    outgoing.writeHead(503, { 'content-type': 'text/html' });
    outgoing.end('<html><body><h1>503 Service Unavailable</h1></body></html>');
  }

  const server = createServer((incoming, outgoing) => {
    pass(incoming, outgoing).catch(() => outgoing.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = new URL(urls[0] ?? '');
  url.port = String((server.address() as AddressInfo).port);
  return {
    url: url.href.replace(/\/+$/, ''),
    async close() {
      clearInterval(check);
      agent.destroy();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function isUp(base: URL): Promise<boolean> {
  try {
    const answer = await fetch(`${base.origin}/_up`, { signal: AbortSignal.timeout(CHECK_MS) });
    await answer.arrayBuffer();
    return answer.ok;
  } catch {
    return false;
  }
}

/** `refused`: the node was never reached. Anything else that goes wrong cuts the client off. */
function forward(
  agent: Agent,
  base: URL,
  incoming: IncomingMessage,
  body: Buffer,
  outgoing: ServerResponse,
): Promise<'passed' | 'refused'> {
  return new Promise((resolve) => {
    const asked = request({
      agent,
      host: base.hostname,
      port: base.port,
      method: incoming.method,
      path: incoming.url,
      headers: { ...incoming.headers, host: base.host },
    });
    outgoing.once('close', () => asked.destroy());
    asked.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED') {
        resolve('refused');
        return;
      }
      outgoing.destroy();
      resolve('passed');
    });
    asked.once('response', (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
      answer.once('error', () => outgoing.destroy());
      resolve('passed');
    });
    asked.end(body);
  });
}
