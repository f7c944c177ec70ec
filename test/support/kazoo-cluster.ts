import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A request that a cluster got. */
export interface Asked {
  readonly method: string;
  readonly url: string;
  readonly token: string | undefined;
  readonly body: string;
}

/** What a cluster does with an operation in place of Kazoo's answer. */
export type Behaviour = (asked: Asked, response: ServerResponse) => void;

/** A little Kazoo: it knows tokens and API keys, answers as Crossbar and keeps a journal. */
export interface KazooCluster {
  readonly url: string;
  readonly port: number;
  readonly journal: readonly Asked[];
  /** Makes a token known; `extra` stands in the answer's data. */
  addToken(token: string, accountId: string, extra?: Readonly<Record<string, unknown>>): void;
  removeToken(token: string): void;
  addKey(apiKey: string, accountId: string): void;
  /** For every request from now on; without one it answers as Kazoo again. */
  behave(behaviour?: Behaviour): void;
  forget(): void;
  close(): Promise<void>;
}

const HOST = '127.0.0.1';

function answer(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}

function refuse(response: ServerResponse, status: number, message: string): void {
  const data = { message: message.replace('_', ' ') };
  answer(response, status, { data, error: String(status), message, status: 'error' });
}

async function receive(message: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

/** Starts a cluster; `port` to be found where another one was before. */
export async function startKazooCluster(port = 0): Promise<KazooCluster> {
  const journal: Asked[] = [];
  const tokens = new Map<string, Readonly<Record<string, unknown>>>();
  const keys = new Map<string, string>();
  let behaviour: Behaviour | undefined;

  function asKazoo({ method, url, token, body }: Asked, response: ServerResponse): void {
    if (method === 'GET' && url === '/v2/token_auth') {
      const data = token === undefined ? undefined : tokens.get(token);
      if (data === undefined) refuse(response, 401, 'invalid_credentials');
      else answer(response, 200, { auth_token: token, data, status: 'success' });
    } else if (method === 'PUT' && url === '/v2/api_auth') {
      const { data = {} } = JSON.parse(body) as { data?: { api_key?: string } };
      const accountId = keys.get(data.api_key ?? '');
      const shown = { account_id: accountId, is_reseller: true, apps: [] };
      if (accountId === undefined) refuse(response, 404, 'bad_identifier');
      else answer(response, 201, { auth_token: 'made-here', data: shown, status: 'success' });
    } else refuse(response, 404, 'not_found');
  }

  const server = createServer((request, response) => {
    void receive(request).then((body) => {
      const { method = '', url = '' } = request;
      const token = request.headers['x-auth-token'];
      const asked = { method, url, token: token === undefined ? undefined : String(token), body };
      journal.push(asked);
      (behaviour ?? asKazoo)(asked, response);
    });
  });
  await new Promise<void>((resolve) => server.listen(port, HOST, resolve));
  const bound = (server.address() as AddressInfo).port;
  return {
    url: `http://${HOST}:${bound}`,
    port: bound,
    journal,
    addToken: (token, accountId, extra = {}) => {
      tokens.set(token, { account_id: accountId, apps: [], is_reseller: false, ...extra });
    },
    removeToken: (token) => void tokens.delete(token),
    addKey: (apiKey, accountId) => void keys.set(apiKey, accountId),
    behave: (next) => {
      behaviour = next;
    },
    forget: () => {
      journal.length = 0;
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
