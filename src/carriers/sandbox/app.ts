import { isIP } from 'node:net';
import express, { type Express, type NextFunction, type Request, type Response } from 'express';
import { isSameSecret } from '../../core/constant-time.js';
import { type Answer, errorAnswer, refusalOf, send } from './answer.js';
import { answerCarrier } from './carrier-routes.js';
import { answerControl } from './control-routes.js';
import { PAGE_POLICY, presentPage, presentStyle } from './page.js';
import type { Sandbox } from './sandbox.js';
import type { Fault } from './wire.js';

const ACK_BYTES_MAX = 256 * 1024;
const CONTROL_JSON_MAX = 8 * 1024 * 1024;
const CONTROL_CSV_MAX = 64 * 1024 * 1024;

/** Characters of a path or a parameter, and parameters, that the journal keeps of a request. */
const NOTED_MAX = 256;
const NOTED_PARAMETERS_MAX = 16;

/** Names under which a browser reaches this machine and no other. */
const LOOPBACK_HOST = /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d{1,5})?$/i;

/** The carrier's HTTP: `/v1` for services, `/control` and the page for whoever plays with it. */
export function createSandboxApp(
  sandbox: Sandbox,
  options: { apiKey: string; log: (event: Readonly<Record<string, unknown>>) => void },
): Express {
  const { apiKey, log } = options;
  const app = express();
  app.disable('x-powered-by').disable('etag').set('query parser', 'simple');
  app.use('/v1', noteRequest(sandbox, apiKey), requireKey(apiKey), refuseByFault);
  app.use('/v1', express.json({ limit: ACK_BYTES_MAX, type: () => true }));
  app.use('/v1', async (request: Request, response: Response) => {
    const fault = faultOf(response);
    const answer = await answerCarrier(sandbox, { ...readRequest(request), fault });
    await send(response, answer, fault);
  });
  app.use(loopbackOnly);
  app.use('/control', requireKey(apiKey));
  app.use('/control', express.raw({ limit: CONTROL_CSV_MAX, type: 'text/csv' }));
  app.use('/control', parseJsonBody);
  app.use('/control', async (request: Request, response: Response) => {
    await send(response, await answerControl(sandbox, readRequest(request)), undefined);
  });
  app.get('/', async (_request: Request, response: Response) => {
    await sendPage(response, 'text/html', presentPage(sandbox));
  });
  app.get('/page.css', async (_request: Request, response: Response) => {
    await sendPage(response, 'text/css', presentStyle());
  });
  app.use(async (_request: Request, response: Response) => {
    await send(response, errorAnswer(404, 'not_found', 'there is no such path'), undefined);
  });
  app.use(async (error: unknown, _request: Request, response: Response, _next: NextFunction) => {
    const answer = answerOf(error);
    if (answer.status >= 500) log({ level: 'error', message: 'a request failed', error });
    if (response.headersSent) response.destroy();
    else await send(response, answer, undefined);
  });
  return app;
}

const parseJson = express.json({ limit: CONTROL_JSON_MAX, type: () => true });

function parseJsonBody(request: Request, response: Response, next: NextFunction): void {
  if (Buffer.isBuffer(request.body)) next();
  else parseJson(request, response, next);
}

/** Everything that is asked of `/v1` is in the journal, also what is refused. */
function noteRequest(sandbox: Sandbox, apiKey: string) {
  return (request: Request, response: Response, next: NextFunction): void => {
    const path = request.originalUrl.split('?', 1)[0] ?? '';
    const isKnown = isSameSecret(request.get('x-api-key'), apiKey);
    const fault = isKnown ? sandbox.faults.take(request.method, path) : undefined;
    const entry = sandbox.journal.add({
      at: new Date().toISOString(),
      method: request.method,
      // Anybody can have it write: a page in a browser needs no key to ask in vain.
      path: (decoded(path) ?? path).slice(0, NOTED_MAX),
      query: notedQuery(request),
      request_id: request.get('x-request-id')?.slice(0, 128) ?? null,
      fault: fault?.kind ?? null,
    });
    response.once('finish', () => {
      entry.status = response.statusCode;
    });
    response.locals['fault'] = fault;
    next();
  };
}

function faultOf(response: Response): Fault | undefined {
  return response.locals['fault'] as Fault | undefined;
}

function requireKey(apiKey: string) {
  return async (request: Request, response: Response, next: NextFunction): Promise<void> => {
    if (isSameSecret(request.get('x-api-key'), apiKey)) return next();
    const answer = errorAnswer(401, 'unauthorized', 'X-Api-Key is missing or wrong');
    await send(response, answer, undefined);
  };
}

async function refuseByFault(
  _request: Request,
  response: Response,
  next: NextFunction,
): Promise<void> {
  const refusal = refusalOf(faultOf(response));
  if (refusal === undefined) return next();
  await send(response, refusal, undefined);
}

/**
 * The page needs no key, so it is for this machine alone: the connection must come from it, and
 * the name asked for must be its own, or a stranger's page in a browser here could read it by a
 * name that has been pointed at 127.0.0.1.
 */
async function loopbackOnly(
  request: Request,
  response: Response,
  next: NextFunction,
): Promise<void> {
  const isLocal =
    isLoopback(request.socket.remoteAddress ?? '') && LOOPBACK_HOST.test(request.get('host') ?? '');
  if (isLocal) return next();
  await send(response, errorAnswer(403, 'forbidden', 'only from this machine'), undefined);
}

function isLoopback(address: string): boolean {
  const text = address.replace(/^::ffff:/, '');
  return text === '::1' || (isIP(text) === 4 && text.startsWith('127.'));
}

function readRequest(request: Request) {
  const parts = request.path.split('/').filter((part) => part !== '');
  return {
    method: request.method,
    path: parts.map((part) => decoded(part) ?? part),
    query: readQuery(request),
    body: request.body as unknown,
  };
}

/** The last of repeated parameters counts. */
function readQuery(request: Request): Record<string, string> {
  const entries = Object.entries(request.query).map(([name, value]) => {
    const last: unknown = Array.isArray(value) ? value.at(-1) : value;
    return [name, String(last)] as const;
  });
  return Object.fromEntries(entries);
}

function notedQuery(request: Request): Record<string, string> {
  const entries = Object.entries(readQuery(request)).slice(0, NOTED_PARAMETERS_MAX);
  const cut = (text: string) => text.slice(0, NOTED_MAX);
  return Object.fromEntries(entries.map(([name, value]) => [cut(name), cut(value)]));
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    // Half an escape: the text stays as it came and finds nothing.
    return undefined;
  }
}

async function sendPage(response: Response, type: string, text: string): Promise<void> {
  const headers = {
    'content-type': `${type}; charset=utf-8`,
    'content-security-policy': PAGE_POLICY,
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'cache-control': 'no-store',
  };
  await send(response, { status: 200, headers, body: Buffer.from(text) }, undefined);
}

/** Errors of the body parsers carry the status that fits. */
function answerOf(error: unknown): Answer {
  const status = (error as { status?: unknown }).status;
  if (typeof status === 'number' && status >= 400 && status < 500) {
    return errorAnswer(status, 'bad_body', 'the body cannot be read');
  }
  return errorAnswer(500, 'internal', 'the sandbox failed; its log says why');
}
