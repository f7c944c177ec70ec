import type { IncomingMessage, ServerResponse } from 'node:http';
import { startServer } from './replication-rig.js';

export interface FakeDoc {
  readonly _id: string;
  readonly _rev: string;
  readonly [field: string]: unknown;
}

/** Answers one request instead of the source; false leaves it to the source. */
export type Interrupt = (req: IncomingMessage, res: ServerResponse) => boolean;

export interface FakeSource {
  readonly url: string;
  /** Method, path and headers of what was asked. */
  readonly asked: readonly { line: string; headers: IncomingMessage['headers'] }[];
  close(): Promise<void>;
}

/** A database with a fixed content that misbehaves as the test wants. */
export async function startFakeSource(
  docs: readonly FakeDoc[],
  interrupt: Interrupt = () => false,
): Promise<FakeSource> {
  const asked: { line: string; headers: IncomingMessage['headers'] }[] = [];
  let checkpoint: object | undefined;
  const last_seq = `${docs.length}-fake`;
  const answers: Readonly<Record<string, (body: string) => readonly [number, object]>> = {
    'GET /db/': () => [200, { db_name: 'db', update_seq: last_seq }],
    'GET /db/_changes': () => {
      const results = docs.map(({ _id, _rev }, n) => ({
        seq: `${n + 1}-fake`,
        id: _id,
        changes: [{ rev: _rev }],
      }));
      return [200, { results, last_seq, pending: 0 }];
    },
    'POST /db/_bulk_get': (body) => {
      const wanted = JSON.parse(body).docs as readonly { id: string }[];
      const results = wanted.map(({ id }) => ({
        id,
        docs: docs.filter((doc) => doc._id === id).map((doc) => ({ ok: doc })),
      }));
      return [200, { results }];
    },
    'GET /db/_local': () => (checkpoint === undefined ? [404, {}] : [200, checkpoint]),
    'PUT /db/_local': (body) => {
      checkpoint = { ...JSON.parse(body), _rev: '0-1' };
      return [201, { ok: true }];
    },
  };
  const server = await startServer((req, res) => {
    const chunks: Buffer[] = [];
    req.on('data', (chunk: Buffer) => chunks.push(chunk));
    req.on('end', () => {
      const line = `${req.method} ${(req.url ?? '').split('?')[0]}`;
      asked.push({ line, headers: req.headers });
      if (interrupt(req, res)) return;
      const answer = answers[line.replace(/(\/_local)\/.*/, '$1')];
      const [status, body] = answer?.(Buffer.concat(chunks).toString()) ?? [404, {}];
      res.writeHead(status, { 'content-type': 'application/json' });
      res.end(JSON.stringify(body));
    });
  });
  return { url: `${server.url}/db`, asked, close: server.close };
}
