import { Agent, type ClientRequest, request } from 'node:http';
import { connect, type Socket } from 'node:net';

export interface CallerAnswer {
  readonly status: number;
  readonly body: string;
  readonly headers: NodeJS.Dict<string | string[]>;
}

/** A client with one connection, which it keeps while the server lets it. */
export interface KeepAliveCaller {
  /** Rejects when the connection breaks before the whole answer is there. */
  ask(method: string, path: string, body?: unknown): Promise<CallerAnswer>;
  close(): void;
}

/** Opens a client that asks one thing after another. */
export function openCaller(base: string, token: string): KeepAliveCaller {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  return {
    ask(method, path, body) {
      const text = body === undefined ? '' : JSON.stringify(body);
      const headers = { 'x-auth-token': token, 'content-length': Buffer.byteLength(text) };
      const asked = request(`${base}${path}`, { method, agent, headers });
      const answer = receive(asked);
      asked.end(text);
      return answer;
    },
    close: () => agent.destroy(),
  };
}

function receive(asked: ClientRequest): Promise<CallerAnswer> {
  return new Promise((resolve, reject) => {
    asked.on('error', reject);
    asked.on('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const body = Buffer.concat(chunks).toString('utf8');
        resolve({ status: response.statusCode ?? 0, body, headers: response.headers });
      });
    });
  });
}

/** A request whose second half is still to be sent. */
export interface HalfRequest {
  /** Sends the rest; resolves to all that came back until the connection was closed. */
  finish(): Promise<string>;
  destroy(): void;
}

/** Sends a PUT with half of its body; resolves when the server has it. */
export async function sendHalf(
  base: string,
  path: string,
  token: string,
  data: unknown,
): Promise<HalfRequest> {
  const { hostname, port } = new URL(base);
  const body = JSON.stringify({ data });
  const half = Math.floor(body.length / 2);
  const head = [
    `PUT ${path} HTTP/1.1`,
    `Host: ${hostname}`,
    `X-Auth-Token: ${token}`,
    `Content-Length: ${body.length}`,
    // The server answers this when it has begun to work on the request.
    'Expect: 100-continue',
  ];
  const socket = connect(Number(port), hostname);
  socket.on('error', () => undefined);
  socket.write(`${head.join('\r\n')}\r\n\r\n`);
  await new Promise<void>((resolve) => socket.once('data', () => resolve()));
  socket.write(body.slice(0, half));
  return {
    finish: () => readToEnd(socket, body.slice(half)),
    destroy: () => socket.destroy(),
  };
}

function readToEnd(socket: Socket, rest: string): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk.toString('utf8');
    });
    socket.on('close', () => resolve(text));
    socket.write(rest);
  });
}
