import { createHash } from 'node:crypto';
import { isJsonObject, type JsonObject } from '../core/json.js';
import { badRequest } from './errors.js';
import { type Endpoint, type OwnServer, parseEndpoint } from './replication-endpoint.js';

/** Which changes of the source are copied; at most one of the three filters is set. */
export interface ChangesRequest {
  readonly style: 'all_docs' | 'main_only';
  readonly docIds: readonly string[] | undefined;
  readonly selector: JsonObject | undefined;
  readonly filter: string | undefined;
  /** Sent along with a filter function's name. */
  readonly queryParams: Readonly<Record<string, string>>;
}

/** A replication as it was asked for. */
export interface ReplicationSpec {
  /** 32 hexadecimal characters; the name of the checkpoints, the same for the same job. */
  readonly baseId: string;
  /** The id with `+continuous` and `+create_target`, which is what clients see. */
  readonly id: string;
  readonly source: Endpoint;
  readonly target: Endpoint;
  readonly continuous: boolean;
  readonly createTarget: boolean;
  /** Query of the `PUT` that creates the target (`q`, `n`, `partitioned`). */
  readonly createTargetParams: Readonly<Record<string, string>>;
  readonly changes: ChangesRequest;
  /** Where to start whatever the checkpoints say. */
  readonly sinceSeq: string | undefined;
  readonly useCheckpoints: boolean;
  readonly checkpointIntervalMs: number;
  /** Changes read at once. */
  readonly batchSize: number;
  /** How long a remote may say nothing. */
  readonly timeoutMs: number;
  readonly retriesPerRequest: number;
}

const MAX_DOC_IDS = 10_000;
const FILTERS = ['doc_ids', 'filter', 'selector'] as const;

/** Reads the body of `POST /_replicate` or a document of `_replicator`; 400 for a wrong one. */
export function parseReplication(
  body: Readonly<Record<string, unknown>>,
  own: OwnServer,
  uuid: string,
): ReplicationSpec {
  for (const name of ['proxy', 'source_proxy', 'target_proxy']) {
    if (body[name] !== undefined) throw badRequest(`\`${name}\` is not supported by this store`);
  }
  const source = parseEndpoint('source', body['source'], own);
  const target = parseEndpoint('target', body['target'], own);
  const changes = parseChanges(body);
  const continuous = readFlag(body, 'continuous');
  const createTarget = readFlag(body, 'create_target');
  const identity = JSON.stringify([uuid, source.identity, target.identity, changes]);
  const baseId = createHash('md5').update(identity).digest('hex');
  const suffix = `${continuous ? '+continuous' : ''}${createTarget ? '+create_target' : ''}`;
  return {
    baseId,
    id: `${baseId}${suffix}`,
    source,
    target,
    continuous,
    createTarget,
    createTargetParams: readTexts(body, 'create_target_params'),
    changes,
    sinceSeq: readSeq(body['since_seq']),
    useCheckpoints: readFlag(body, 'use_checkpoints', true),
    checkpointIntervalMs: readCount(body, 'checkpoint_interval', 5_000, 100, 3_600_000),
    batchSize: readCount(body, 'worker_batch_size', 500, 1, 500),
    timeoutMs: readCount(body, 'connection_timeout', 30_000, 100, 600_000),
    retriesPerRequest: readCount(body, 'retries_per_request', 5, 0, 10),
  };
}

function parseChanges(body: Readonly<Record<string, unknown>>): ChangesRequest {
  const { doc_ids: ids, selector, filter } = body;
  if (FILTERS.filter((name) => body[name] !== undefined).length > 1) {
    throw badRequest('`doc_ids`,`filter`,`selector` are mutually exclusive');
  }
  if (selector !== undefined && !isJsonObject(selector)) {
    throw badRequest('parameter `selector` must be a JSON object');
  }
  if (filter !== undefined && typeof filter !== 'string') {
    throw badRequest('parameter `filter` must be a string');
  }
  return {
    style: readFlag(body, 'winning_revs_only') ? 'main_only' : 'all_docs',
    docIds: ids === undefined ? undefined : readDocIds(ids),
    selector,
    filter,
    queryParams: readTexts(body, 'query_params'),
  };
}

function readDocIds(value: unknown): readonly string[] {
  if (!Array.isArray(value)) throw badRequest('parameter `doc_ids` must be an array');
  if (value.length > MAX_DOC_IDS) {
    throw badRequest(`parameter \`doc_ids\` must not have more than ${MAX_DOC_IDS} ids`);
  }
  const ids = value.filter((id): id is string => typeof id === 'string');
  if (ids.length < value.length) throw badRequest('parameter `doc_ids` must be an array of ids');
  // Sorted, so that the same ids in another order are the same replication.
  return [...new Set(ids)].sort();
}

function readFlag(body: Readonly<Record<string, unknown>>, name: string, absent = false): boolean {
  const value = body[name] ?? absent;
  if (typeof value === 'boolean') return value;
  throw badRequest(`parameter \`${name}\` must be a boolean`);
}

function readCount(
  body: Readonly<Record<string, unknown>>,
  name: string,
  absent: number,
  min: number,
  max: number,
): number {
  const value = body[name] ?? absent;
  if (typeof value === 'number' && Number.isInteger(value)) {
    return Math.min(Math.max(value, min), max);
  }
  throw badRequest(`parameter \`${name}\` must be an integer`);
}

function readTexts(body: Readonly<Record<string, unknown>>, name: string): Record<string, string> {
  const value = body[name] ?? {};
  if (!isJsonObject(value)) throw badRequest(`parameter \`${name}\` must be a JSON object`);
  return Object.fromEntries(
    Object.entries(value).map(([key, one]) => [
      key,
      typeof one === 'string' ? one : JSON.stringify(one),
    ]),
  );
}

function readSeq(value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'string') return value;
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return String(value);
  throw badRequest('parameter `since_seq` must be a sequence of the source');
}
