import winston from 'winston';
import { currentOperation } from './core/operation.js';
import { presentFields, presentText } from './log-fields.js';

/** What an event is about; `snake_case` names, as in the API. */
export type LogFields = Readonly<Record<string, unknown>>;

/** One JSON line per event; secrets are redacted, Errors written with their causes. */
export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** Whether lines of that level are written; for what costs something to say. */
  isEnabled(level: Level): boolean;
}

/** What `createLog` needs: the least level to write, and where to. */
export interface LogOptions {
  readonly level: Level;
  readonly stream: NodeJS.WritableStream;
  /** Unix milliseconds; tests pass their own. */
  readonly now?: () => number;
}

type Level = 'debug' | 'info' | 'warn' | 'error';

const LEVELS: Readonly<Record<Level, number>> = { error: 0, warn: 1, info: 2, debug: 3 };
/** Where winston's transports find the finished line (the `MESSAGE` symbol of triple-beam). */
const LINE = Symbol.for('message');
const LINE_MAX = 64 * 1024;

/**
 * A log that writes `{time, level, message, request_id?, …fields}` lines to one stream. Lines are
 * bounded: long texts are cut, deep and wide fields are left out and say so.
 */
export function createLog(options: LogOptions): Log {
  const now = options.now ?? Date.now;
  // The line is made before winston sees it: its own JSON format knows no limits, and its streams
  // may run the format later, when another operation is current.
  const finished = winston.format((info) => {
    info[LINE] = info.message;
    return info;
  });
  const logger = winston.createLogger({
    levels: LEVELS,
    level: options.level,
    format: finished(),
    transports: [new winston.transports.Stream({ stream: options.stream, eol: '\n' })],
  });

  function write(level: Level, message: string, fields: LogFields = {}): void {
    if (!logger.isLevelEnabled(level)) return;
    logger.log({ level, message: formatLine(level, message, fields, now()) });
  }

  return {
    debug: (message, fields) => write('debug', message, fields),
    info: (message, fields) => write('info', message, fields),
    warn: (message, fields) => write('warn', message, fields),
    error: (message, fields) => write('error', message, fields),
    isEnabled: (level) => logger.isLevelEnabled(level),
  };
}

function formatLine(level: Level, message: string, fields: LogFields, nowMs: number): string {
  const requestId = currentOperation()?.requestId;
  const head: Record<string, unknown> = {
    time: new Date(nowMs).toISOString(),
    level,
    message: presentText(message),
  };
  if (requestId !== undefined) head['request_id'] = requestId;
  const line = JSON.stringify(Object.assign({ ...head }, presentFields(fields), head));
  if (line.length <= LINE_MAX) return line;
  return JSON.stringify({ ...head, left_out: `${line.length} characters of fields` });
}
