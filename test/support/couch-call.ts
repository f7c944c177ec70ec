import { request } from 'node:http';
import { storeLogin } from './store.js';

/** An answer of a CouchDB: status, headers, text, and the text as JSON where it is JSON. */
export interface CouchAnswer {
  readonly status: number;
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly text: string;
  // Tests reach into answers of any shape; what is there is what they assert.
  // biome-ignore lint/suspicious/noExplicitAny: the shape is what is being tested
  readonly json: any;
}

export interface CouchCall {
  readonly body?: unknown;
  /** Sent as it is instead of `body`. */
  readonly raw?: string | Buffer;
  readonly headers?: Readonly<Record<string, string>>;
  readonly anonymous?: boolean;
}

/** One request to the store with node:http, which changes neither paths nor headers. */
export function callCouch(
  method: string,
  path: string,
  { body, raw, headers = {}, anonymous = false }: CouchCall = {},
  target: { readonly base: string; readonly authorization: string } = storeLogin(),
): Promise<CouchAnswer> {
  const text = raw ?? (body === undefined ? undefined : JSON.stringify(body));
  const url = new URL(target.base);
  return new Promise((resolve, reject) => {
    const req = request(
      {
        host: url.hostname,
        port: url.port,
        path,
        method,
        headers: {
          ...(text === undefined ? {} : { 'content-type': 'application/json' }),
          ...(text === undefined ? {} : { 'content-length': Buffer.byteLength(text) }),
          ...(anonymous ? {} : { authorization: target.authorization }),
          ...headers,
        },
      },
      (res) => {
        const chunks: Buffer[] = [];
        res.on('data', (chunk: Buffer) => chunks.push(chunk));
        res.on('error', reject);
        res.on('end', () => {
          const answer = Buffer.concat(chunks).toString('utf8');
          resolve({
            status: res.statusCode ?? 0,
            headers: res.headers,
            text: answer,
            json: parseOrUndefined(answer),
          });
        });
      },
    );
    req.on('error', reject);
    req.end(text);
  });
}

function parseOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Feeds and multipart answers are no JSON.
    return undefined;
  }
}
