import { z } from 'zod';
import { type Answer, errorAnswer, jsonAnswer } from './answer.js';
import type { Sandbox } from './sandbox.js';
import type { LineKey } from './state.js';
import { withInterimRecords } from './usage-csv.js';
import type { Fault } from './wire.js';

/** A request to the carrier, signed in. */
export interface CarrierRequest {
  readonly method: string;
  /** Below `/v1`, decoded, without empty parts. */
  readonly path: readonly string[];
  readonly query: Readonly<Record<string, string>>;
  /** JSON, or undefined. */
  readonly body: unknown;
  /** Faults of what the carrier knows are made here, those of how it speaks while sending. */
  readonly fault: Fault | undefined;
}

const MESSAGES_MAX = 500;
const FILES_PER_PAGE = 100;
const KINDS: readonly LineKey[] = ['mdn', 'esn', 'sim'];

const ackBody = z.object({ ids: z.array(z.string().max(100)).max(MESSAGES_MAX) });

/** Answers what a carrier is asked. */
export async function answerCarrier(sandbox: Sandbox, request: CarrierRequest): Promise<Answer> {
  const { method, path } = request;
  const [noun, ...rest] = path;
  const isGet = method === 'GET';
  const [first] = rest;
  if (noun === 'health' && isGet && first === undefined) return jsonAnswer(200, { status: 'ok' });
  if (noun === 'lines' && isGet && first === undefined) return findLine(sandbox, request);
  if (noun === 'equipment' && isGet && first !== undefined && rest.length === 1) {
    return findEquipment(sandbox, first);
  }
  if (noun === 'port-messages') {
    if (isGet && first === undefined) return listMessages(sandbox, request);
    if (method === 'POST' && first === 'ack' && rest.length === 1) return ack(sandbox, request);
  }
  if (noun === 'usage-files' && isGet && rest.length <= 1) {
    if (first === undefined) return listFiles(sandbox, request);
    return sendFile(sandbox, first, request);
  }
  return errorAnswer(404, 'not_found', 'there is no such path');
}

function findLine(sandbox: Sandbox, { query, fault }: CarrierRequest): Answer {
  const asked = KINDS.filter((kind) => query[kind] !== undefined);
  const [kind] = asked;
  if (kind === undefined || asked.length > 1) {
    return errorAnswer(400, 'bad_query', 'name exactly one of mdn, esn and sim');
  }
  const line = sandbox.state.findLine(kind, query[kind] ?? '');
  if (line === undefined) return errorAnswer(404, 'no_such_line', 'there is no such line');
  if (fault?.kind !== 'wrong_line') return jsonAnswer(200, { line });
  const other = sandbox.state.lines().find((each) => each !== line && each[kind] !== null);
  return jsonAnswer(200, { line: other ?? { ...line, [kind]: '19995550100' } });
}

function findEquipment(sandbox: Sandbox, esn: string): Answer {
  const equipment = sandbox.state.findEquipment(esn);
  if (equipment === undefined) {
    return errorAnswer(404, 'no_such_equipment', 'there is no such equipment');
  }
  return jsonAnswer(200, { equipment });
}

function listMessages(sandbox: Sandbox, { query, fault }: CarrierRequest): Answer {
  const after = wholeNumber(query['after'], 0);
  const limit = wholeNumber(query['limit'], 100);
  if (after === undefined || limit === undefined || limit < 1 || limit > MESSAGES_MAX) {
    return errorAnswer(400, 'bad_query', `after is a cursor, limit 1 to ${MESSAGES_MAX}`);
  }
  const isDoubled = fault?.kind === 'duplicated_messages';
  const queued = sandbox.state.messagesAfter(after, isDoubled ? Math.ceil(limit / 2) : limit);
  const once = queued.map(({ item }) => item);
  const messages = isDoubled ? once.flatMap((message) => [message, message]) : once;
  if (fault?.kind === 'reordered_messages') messages.reverse();
  const cursor = queued.at(-1)?.seq;
  return jsonAnswer(200, { messages, cursor: cursorText(cursor, query['after']) });
}

async function ack(sandbox: Sandbox, { body }: CarrierRequest): Promise<Answer> {
  const parsed = ackBody.safeParse(body);
  if (!parsed.success) return errorAnswer(400, 'bad_body', 'ids must be a list of message ids');
  const { ids } = parsed.data;
  if (ids.length > 0) await sandbox.write([{ type: 'ack', ids }]);
  return jsonAnswer(200, { acknowledged: ids.length });
}

function listFiles(sandbox: Sandbox, { query }: CarrierRequest): Answer {
  const after = wholeNumber(query['after'], 0);
  if (after === undefined) return errorAnswer(400, 'bad_query', 'after is a cursor');
  const queued = sandbox.state.filesAfter(after, FILES_PER_PAGE);
  const files = queued.map(({ item: { name, size, records } }) => ({ name, size, records }));
  return jsonAnswer(200, { files, cursor: cursorText(queued.at(-1)?.seq, query['after']) });
}

async function sendFile(
  sandbox: Sandbox,
  name: string,
  { fault }: CarrierRequest,
): Promise<Answer> {
  const packed = await sandbox.readUsageFile(name);
  if (packed === undefined) return errorAnswer(404, 'no_such_file', 'there is no such file');
  const body = fault?.kind === 'interim_records' ? await withInterimRecords(packed) : packed;
  const headers = { 'content-type': 'text/csv; charset=utf-8', 'content-encoding': 'gzip' };
  return { status: 200, headers, body };
}

/** Where the next page begins: behind the last entry, or where it was asked to begin. */
function cursorText(last: number | undefined, after: string | undefined): string | null {
  return last === undefined ? (after ?? null) : String(last);
}

function wholeNumber(text: string | undefined, byDefault: number): number | undefined {
  if (text === undefined) return byDefault;
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}
