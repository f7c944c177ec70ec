import type { ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Fault } from './wire.js';

/** What the carrier would say; a fault may still spoil it. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** An answer of JSON. */
export function jsonAnswer(
  status: number,
  value: unknown,
  headers: Readonly<Record<string, string>> = {},
): Answer {
  const body = Buffer.from(`${JSON.stringify(value)}\n`);
  return { status, headers: { 'content-type': 'application/json', ...headers }, body };
}

/** An answer that says why not. `code` is for programs. */
export function errorAnswer(
  status: number,
  code: string,
  message: string,
  headers: Readonly<Record<string, string>> = {},
): Answer {
  return jsonAnswer(status, { error: { code, message } }, headers);
}

/** The answer of a fault that stands before the carrier: what was asked is not done. */
export function refusalOf(fault: Fault | undefined): Answer | undefined {
  const seconds = fault?.retry_after_s;
  const wait: Record<string, string> =
    seconds === undefined ? {} : { 'retry-after': String(seconds) };
  switch (fault?.kind) {
    case 'error':
      return errorAnswer(fault.status, 'fault', 'the sandbox was told to fail');
    case 'rejected':
      return errorAnswer(400, 'rejected', 'the sandbox was told to reject this');
    case 'rate_limited':
      return errorAnswer(429, 'too_many_requests', 'the sandbox was told to be busy', wait);
    case 'unavailable':
      return errorAnswer(503, 'unavailable', 'the sandbox was told to be away', wait);
    case 'unauthorized':
      return errorAnswer(401, 'unauthorized', 'the sandbox was told to know nobody');
    case 'redirect':
      return errorAnswer(302, 'moved', 'elsewhere', { location: '/v1/health' });
    default:
      return undefined;
  }
}

const MALFORMED = Buffer.from('{"line": {"mdn": +1415, "messages": [,], \n');
const OVERSIZED_CHUNK = Buffer.alloc(64 * 1024, 'x');
const OVERSIZED_CHUNKS = 4096;

/** Sends an answer, spoilt by a fault where there is one. */
export async function send(
  response: ServerResponse,
  answer: Answer,
  fault: Fault | undefined,
): Promise<void> {
  switch (fault?.kind) {
    case 'latency':
      await sleep(fault.latency_ms);
      return end(response, answer);
    case 'hang':
      // The client gives up some time; its end of the connection ends ours.
      return;
    case 'reset':
      return reset(response, answer);
    case 'oversized':
      return pour(response, answer);
    case 'truncated_json':
      return end(response, {
        ...answer,
        body: answer.body.subarray(0, Math.ceil(answer.body.length / 2)),
      });
    case 'malformed_json':
      return end(response, { ...answer, body: MALFORMED });
    case 'wrong_content_type': {
      const headers = { ...answer.headers, 'content-type': 'text/html; charset=utf-8' };
      return end(response, { ...answer, headers });
    }
    default:
      return end(response, answer);
  }
}

function end(response: ServerResponse, { status, headers, body }: Answer): void {
  response.writeHead(status, { ...headers, 'content-length': body.length });
  response.end(body);
}

/** Half of what was promised, and then the connection is reset. */
function reset(response: ServerResponse, { status, headers, body }: Answer): void {
  response.writeHead(status, { ...headers, 'content-length': body.length });
  response.write(body.subarray(0, Math.floor(body.length / 2)), () => {
    response.socket?.resetAndDestroy();
  });
}

/** A body of 256 MiB, of which no client should take more than it wants. */
async function pour(response: ServerResponse, { status, headers }: Answer): Promise<void> {
  response.writeHead(status, { ...headers });
  response.write('{"line": "');
  for (let n = 0; n < OVERSIZED_CHUNKS && !response.destroyed; n += 1) {
    const isFlowing = response.write(OVERSIZED_CHUNK);
    if (!isFlowing) await roomIn(response);
  }
  response.end('"}');
}

function roomIn(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      response.off('drain', done).off('close', done);
      resolve();
    };
    response.on('drain', done).on('close', done);
  });
}
