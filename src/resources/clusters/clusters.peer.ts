import { Agent, request } from 'undici';
import { z } from 'zod';
import { AppError } from '../../core/errors.js';
import { parseJson } from '../../core/json.js';
import { faultOfApiUrl, operationUrl, publicLookup } from './clusters.address.js';

/** Whom a token stands for at the cluster that made it. */
export interface ForeignToken {
  readonly accountId: string;
  readonly userId: string | undefined;
  /** Unix seconds, where that cluster says so. */
  readonly expiresAt: number | undefined;
}

/** Another cluster, as one asks it. Every call is `unavailable` when there is no clear answer. */
export interface ClusterPeer {
  /** Whom a token stands for; undefined: that cluster does not take it. */
  askToken(apiUrl: string, token: string): Promise<ForeignToken | undefined>;
  /** The account of an API key; undefined: that cluster does not take it. */
  askKey(apiUrl: string, apiKey: string): Promise<string | undefined>;
  close(): Promise<void>;
}

/** Connections to one cluster; more questions wait their turn. */
const CONNECTIONS = 16;
/** Kazoo lists the applications of an account in its answers. */
const MAX_ANSWER_BYTES = 512 * 1024;
const MAX_ANSWER_DEPTH = 32;

const accountId = z.string().regex(/^[0-9a-f]{32}$/);

const answerSchema = z.looseObject({
  status: z.literal('success'),
  data: z.looseObject({
    account_id: accountId,
    owner_id: z.string().min(1).max(64).optional(),
    exp: z.int().positive().optional(),
  }),
});

/** The reason by which clients tell another cluster that is away from a store that is. */
export const CLUSTER_UNREACHABLE = 'cluster_unreachable';

/**
 * Nobody knows, so nobody gets in. Why is for the log and for maintenance: whoever asks without a
 * token that is known learns nothing of how clusters are reached.
 */
export function unreachable(why: string, cause?: unknown): AppError {
  const beneath = cause instanceof Error ? `: ${cause.message}` : '';
  return new AppError('unavailable', 'the cluster cannot be reached', {
    reason: CLUSTER_UNREACHABLE,
    cause: new Error(`${why}${beneath}`),
  });
}

function read(text: string): z.output<typeof answerSchema>['data'] {
  try {
    return answerSchema.parse(parseJson(text, { maxDepth: MAX_ANSWER_DEPTH })).data;
  } catch {
    // The fault may quote the answer, which holds a token of that cluster's.
    throw unreachable('it answers something that is no answer to the question');
  }
}

interface Question {
  readonly method: 'GET' | 'PUT';
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** Asks clusters by Kazoo's own operations (top-support.md B1). */
export function createClusterPeer(deps: {
  /** Milliseconds that an answer may take as a whole. */
  readonly timeoutMs: number;
  readonly allowsPrivate: boolean;
}): ClusterPeer {
  const { timeoutMs, allowsPrivate } = deps;
  const agent = new Agent({
    connections: CONNECTIONS,
    pipelining: 1,
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
    maxResponseSize: MAX_ANSWER_BYTES,
    connect: { timeout: timeoutMs, ...(allowsPrivate ? {} : { lookup: publicLookup }) },
  });

  /** Redirects are not followed: they would carry the credentials to somewhere else. */
  async function send(apiUrl: string, operation: string, { method, headers, body }: Question) {
    // An address that is no name is never looked up, and documents come by replication too.
    const fault = faultOfApiUrl(apiUrl, allowsPrivate);
    if (fault !== undefined) throw unreachable(`its address ${fault}`);
    try {
      const answer = await request(operationUrl(apiUrl, operation), {
        method,
        dispatcher: agent,
        headers: { accept: 'application/json', ...headers },
        ...(body === undefined ? {} : { body }),
        signal: AbortSignal.timeout(timeoutMs),
      });
      return { status: answer.statusCode, text: await answer.body.text() };
    } catch (error) {
      throw unreachable('it does not answer', error);
    }
  }

  async function ask(apiUrl: string, operation: string, question: Question) {
    const { status, text } = await send(apiUrl, operation, question);
    if (status === 200 || status === 201) return read(text);
    return status;
  }

  return {
    async askToken(apiUrl, token) {
      const headers = { 'x-auth-token': token };
      const told = await ask(apiUrl, 'token_auth', { method: 'GET', headers });
      if (told === 401 || told === 403) return undefined;
      if (typeof told === 'number') throw unreachable(`it answers with status ${told}`);
      return { accountId: told.account_id, userId: told.owner_id, expiresAt: told.exp };
    },
    async askKey(apiUrl, apiKey) {
      const body = JSON.stringify({ data: { api_key: apiKey } });
      const headers = { 'content-type': 'application/json' };
      const told = await ask(apiUrl, 'api_auth', { method: 'PUT', headers, body });
      // Kazoo has no such key: 404; no key of that form: 400 (kazoo-accounts §4.1).
      if (typeof told === 'number' && [400, 401, 403, 404].includes(told)) return undefined;
      if (typeof told === 'number') throw unreachable(`it answers with status ${told}`);
      return told.account_id;
    },
    close: () => agent.destroy(),
  };
}
