import { request } from 'node:http';

/** An answer as it came: the text, and the text as JSON where it is JSON. */
export interface RawAnswer {
  readonly status: number;
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: bodies are asserted whole, field by field.
  readonly body: any;
}

export interface RawCall {
  readonly token?: string;
  readonly body?: string | Buffer;
  readonly headers?: Readonly<Record<string, string | string[]>>;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // What is no JSON is asserted as text.
    return undefined;
  }
}

/**
 * A request with node:http, which sends paths, methods and headers as they are given: clients that
 * resolve `..` would hide what the service makes of it.
 */
export function callRaw(
  url: string,
  method: string,
  path: string,
  { token, body, headers = {} }: RawCall = {},
): Promise<RawAnswer> {
  const { hostname, port } = new URL(url);
  const isSized = body !== undefined && headers['transfer-encoding'] === undefined;
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        host: hostname,
        port,
        method,
        path,
        headers: {
          ...(isSized ? { 'content-length': Buffer.byteLength(body) } : {}),
          ...(token === undefined ? {} : { 'x-auth-token': token }),
          ...headers,
        },
      },
      (answer) => {
        const chunks: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => chunks.push(chunk));
        answer.on('error', reject);
        answer.on('end', () => {
          const text = Buffer.concat(chunks).toString('utf8');
          const { statusCode = 0, headers: received } = answer;
          resolve({ status: statusCode, headers: received, text, body: parsed(text) });
        });
      },
    );
    sent.on('error', reject);
    sent.end(body);
  });
}
