import { badRequest, couchError, describeError, notFound } from './errors.js';
import { type Exchange, param, queryOf, readPostedObject, sendJson } from './exchange.js';
import { REPLICATOR, type ReplicationDocuments } from './replication-documents.js';
import type { OwnServer } from './replication-endpoint.js';
import type { ReplicationJob } from './replication-job.js';
import type { ReplicationJobs } from './replication-jobs.js';
import { presentDocument, presentJob, presentTask } from './replication-presentation.js';
import type { ReplicationSpec } from './replication-spec.js';
import type { Route } from './router.js';

export interface ReplicationParts {
  readonly jobs: ReplicationJobs;
  readonly documents: ReplicationDocuments;
  readonly own: OwnServer;
  /** 400 for a body that is no replication. */
  readonly parse: (body: Readonly<Record<string, unknown>>) => ReplicationSpec;
}

/** `_replicate`, and what there is to see of replications. */
export function replicationRoutes(parts: ReplicationParts): readonly Route[] {
  const { jobs, documents, own } = parts;
  const listDocuments = async (x: Exchange): Promise<void> => {
    const states = queryOf(x).text('states')?.split(',');
    const all = documents.list().map((document) => presentDocument(document, own));
    sendPage(
      x,
      'docs',
      all.filter(({ state }) => states?.includes(String(state)) ?? true),
    );
  };
  return [
    { path: '/_replicate', methods: { POST: (x) => replicate(x, parts) } },
    {
      path: '/_active_tasks',
      methods: {
        GET: async (x) => {
          const running = jobs.list().filter((job) => job.state === 'running');
          sendJson(x, 200, running.map(presentTask));
        },
      },
    },
    {
      path: '/_scheduler/jobs',
      methods: { GET: async (x) => sendPage(x, 'jobs', jobs.list().map(presentJob)) },
    },
    {
      path: '/_scheduler/jobs/:id',
      methods: {
        GET: async (x) => {
          const job = jobs.find(param(x, 'id'));
          if (job === undefined) throw notFound('missing');
          sendJson(x, 200, presentJob(job));
        },
      },
    },
    { path: '/_scheduler/docs', methods: { GET: listDocuments } },
    {
      path: '/_scheduler/docs/:db',
      methods: {
        GET: async (x) => {
          if (param(x, 'db') !== REPLICATOR) throw badRequest('Invalid path');
          await listDocuments(x);
        },
      },
    },
    {
      path: '/_scheduler/docs/:db/:doc',
      methods: {
        GET: async (x) => {
          const isOurs = param(x, 'db') === REPLICATOR;
          const document = isOurs ? documents.find(param(x, 'doc')) : undefined;
          if (document === undefined) throw notFound('missing');
          sendJson(x, 200, presentDocument(document, own));
        },
      },
    },
  ];
}

/** CouchDB's form of a page: everything is counted, `skip` and `limit` pick. */
function sendPage(x: Exchange, name: 'docs' | 'jobs', all: readonly object[]): void {
  const p = queryOf(x);
  const offset = p.count('skip') ?? 0;
  const limit = p.count('limit') ?? all.length;
  const page = all.slice(offset, offset + limit);
  sendJson(x, 200, { total_rows: all.length, offset, [name]: page });
}

async function replicate(x: Exchange, parts: ReplicationParts): Promise<void> {
  const { jobs } = parts;
  const body = await readPostedObject(x);
  if (body['cancel'] === true) return cancel(x, parts, body);
  const spec = parts.parse(body);
  const job = jobs.find(spec.id) ?? jobs.start(spec, { docId: null, user: x.user ?? null });
  if (spec.continuous) return sendJson(x, 202, { ok: true, _local_id: spec.id });
  sendJson(x, 200, await resultOf(job));
}

/** The answer of a one-shot job; failures in the statuses that CouchDB uses. */
async function resultOf(job: ReplicationJob): Promise<object> {
  const { result, error } = await job.outcome;
  if (result !== undefined) return result;
  const answer = describeError(error);
  if (answer === undefined) throw error;
  const isOwnStatus = answer.status === 401 || answer.status === 503;
  throw couchError(isOwnStatus ? answer.status : 500, answer.error, answer.reason);
}

/** A job is named by its id, or by what it was asked for. */
function cancel(
  x: Exchange,
  { jobs, parse }: ReplicationParts,
  body: Readonly<Record<string, unknown>>,
): void {
  const named = body['replication_id'] ?? body['id'] ?? body['_local_id'];
  const id = typeof named === 'string' ? named : parse(body).id;
  const job = jobs.find(id);
  if (job === undefined) throw notFound('missing');
  const { docId } = job.owner;
  if (docId !== null) {
    // Cancelled here it would start again with the process.
    throw couchError(403, 'forbidden', `Delete document \`${docId}\` of \`${REPLICATOR}\` instead`);
  }
  jobs.cancel(job);
  sendJson(x, 200, { ok: true, _local_id: id });
}
