import { z } from 'zod';
import { type Answer, errorAnswer, jsonAnswer } from './answer.js';
import type { Sandbox } from './sandbox.js';
import type { LineKey } from './state.js';
import {
  equipmentSchema,
  FILE_NAME,
  faultSchema,
  LIST_MAX,
  lineSchema,
  messageSchema,
  usageRecordSchema,
} from './wire.js';

/** A request of whoever plays the carrier. */
export interface ControlRequest {
  readonly method: string;
  /** Below `/control`, decoded. */
  readonly path: readonly string[];
  readonly query: Readonly<Record<string, string>>;
  /** JSON, or bytes of `text/csv`. */
  readonly body: unknown;
}

const lines = z.object({ lines: z.array(lineSchema).min(1).max(LIST_MAX) });
const equipment = z.object({ equipment: z.array(equipmentSchema).min(1).max(LIST_MAX) });
const messages = z.object({ messages: z.array(messageSchema).min(1).max(LIST_MAX) });
const faults = z.object({ faults: z.array(faultSchema).min(1).max(LIST_MAX) });
const records = z.object({
  records: z
    .array(usageRecordSchema)
    .min(1)
    .max(10 * LIST_MAX),
});

const KINDS: readonly LineKey[] = ['mdn', 'esn', 'sim'];

type Handler = (sandbox: Sandbox, request: ControlRequest) => Promise<Answer> | Answer;

const HANDLERS: Readonly<Record<string, Handler>> = {
  'GET lines': (sandbox) => jsonAnswer(200, { lines: sandbox.state.lines() }),
  'POST lines': taking(lines, async (sandbox, body) => {
    await sandbox.write(body.lines.map((line) => ({ type: 'line', line })));
    return { lines: body.lines };
  }),
  'DELETE lines': dropLine,
  'POST equipment': taking(equipment, async (sandbox, body) => {
    await sandbox.write(body.equipment.map((each) => ({ type: 'equipment', equipment: each })));
    return { equipment: body.equipment };
  }),
  'POST port-messages': taking(messages, async (sandbox, body) => ({
    ids: await sandbox.pushMessages(body.messages),
  })),
  'GET faults': (sandbox) => jsonAnswer(200, { faults: sandbox.faults.list() }),
  'POST faults': addFaults,
  'DELETE faults': (sandbox) => {
    sandbox.faults.clear();
    return jsonAnswer(200, { faults: [] });
  },
  'GET journal': (sandbox) => jsonAnswer(200, { requests: sandbox.journal.list() }),
  'DELETE journal': (sandbox) => {
    sandbox.journal.clear();
    return jsonAnswer(200, { requests: [] });
  },
};

/** Answers the control endpoint. */
export async function answerControl(sandbox: Sandbox, request: ControlRequest): Promise<Answer> {
  const { method, path } = request;
  const [noun, name] = path;
  const isAdding = (method === 'POST' && noun !== 'faults') || method === 'PUT';
  if (isAdding && !sandbox.state.hasRoom()) {
    return errorAnswer(400, 'too_many', 'the sandbox is full; begin with another folder');
  }
  if (noun === 'usage-files' && name !== undefined && path.length === 2) {
    return changeFile(sandbox, name, request);
  }
  const handler = path.length === 1 ? HANDLERS[`${method} ${noun}`] : undefined;
  if (handler === undefined) return errorAnswer(404, 'not_found', 'there is no such path');
  return handler(sandbox, request);
}

/** A handler of a JSON body; what does not fit is refused with every fault. */
function taking<S extends z.ZodType>(
  schema: S,
  run: (sandbox: Sandbox, body: z.output<S>) => Promise<unknown>,
): Handler {
  return async (sandbox, { body }) => {
    const parsed = schema.safeParse(body);
    if (!parsed.success) return errorAnswer(400, 'bad_body', z.prettifyError(parsed.error));
    return jsonAnswer(200, await run(sandbox, parsed.data));
  };
}

async function dropLine(sandbox: Sandbox, { query }: ControlRequest): Promise<Answer> {
  const kind = KINDS.find((each) => query[each] !== undefined);
  if (kind === undefined) return errorAnswer(400, 'bad_query', 'name one of mdn, esn and sim');
  const value = query[kind] ?? '';
  const line = sandbox.state.findLine(kind, value);
  if (line === undefined) return errorAnswer(404, 'no_such_line', 'there is no such line');
  await sandbox.write([{ type: 'drop_line', kind, value }]);
  return jsonAnswer(200, { lines: [line] });
}

async function addFaults(sandbox: Sandbox, { body }: ControlRequest): Promise<Answer> {
  const parsed = faults.safeParse(body);
  if (!parsed.success) return errorAnswer(400, 'bad_body', z.prettifyError(parsed.error));
  if (!sandbox.faults.add(parsed.data.faults)) {
    return errorAnswer(400, 'too_many', 'too many faults are set; clear them');
  }
  return jsonAnswer(200, { faults: sandbox.faults.list() });
}

/** PUT sets the content, POST puts records behind it. Text is taken as it is, however broken. */
async function changeFile(
  sandbox: Sandbox,
  name: string,
  { method, body }: ControlRequest,
): Promise<Answer> {
  if (!FILE_NAME.test(name)) return errorAnswer(400, 'bad_name', 'not a name of a usage file');
  if (Buffer.isBuffer(body)) {
    if (method !== 'PUT') return errorAnswer(405, 'bad_method', 'PUT takes text, POST records');
    const rows = Math.max(0, body.toString('latin1').trimEnd().split('\n').length - 1);
    await sandbox.putUsageFile(name, body, rows);
  } else {
    const parsed = records.safeParse(body);
    if (!parsed.success) return errorAnswer(400, 'bad_body', z.prettifyError(parsed.error));
    if (method === 'POST') await sandbox.appendUsage(name, parsed.data.records);
    else if (method === 'PUT') await sandbox.putUsageRecords(name, parsed.data.records);
    else return errorAnswer(405, 'bad_method', 'PUT sets a file, POST adds to it');
  }
  const file = sandbox.state.findFile(name);
  return jsonAnswer(200, { name, size: file?.size, records: file?.records });
}
