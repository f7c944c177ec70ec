import { Pool } from 'undici';

/** An answer: its status and its whole body. */
export interface BenchAnswer {
  readonly status: number;
  readonly text: string;
}

/** One kept-alive client, the same for the store and for the service. */
export interface BenchClient {
  /** Throws unless the answer has one of the expected statuses (default 200 and 201). */
  ask(
    method: 'GET' | 'PUT' | 'POST' | 'PATCH' | 'DELETE',
    path: string,
    body?: unknown,
    expected?: readonly number[],
  ): Promise<BenchAnswer>;
  close(): Promise<void>;
}

const FINE = [200, 201];

/** Connects `callers` sockets to `base`; `headers` go with every request. */
export function createClient(
  base: string,
  callers: number,
  headers: Readonly<Record<string, string>>,
): BenchClient {
  const pool = new Pool(base, {
    connections: callers,
    pipelining: 1,
    headersTimeout: 120_000,
    bodyTimeout: 120_000,
  });
  return {
    async ask(method, path, body, expected = FINE) {
      const answer = await pool.request({
        method,
        path,
        headers: {
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await answer.body.text();
      if (!expected.includes(answer.statusCode)) {
        throw new Error(`${method} ${path}: ${answer.statusCode} ${text.slice(0, 300)}`);
      }
      return { status: answer.statusCode, text };
    },
    close: () => pool.close(),
  };
}
