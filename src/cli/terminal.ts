import type { Writable } from 'node:stream';
import { AppError } from '../core/errors.js';
import type { Log, LogFields } from '../log.js';
import { presentText } from '../log-fields.js';

/** A stream that may be a terminal. */
export type TerminalStream = Writable & { readonly isTTY?: boolean };

export interface TerminalOptions {
  readonly stdout: TerminalStream;
  readonly stderr: TerminalStream;
  /** True: result lines are left out, because the result is printed as JSON at the end. */
  readonly json: boolean;
  readonly verbose: boolean;
  /** Milliseconds of a clock that never goes back. */
  readonly now?: () => number;
}

/** Results go to stdout, everything else to stderr. */
export interface Terminal {
  /** A line of the result. */
  print(line: string): void;
  printJson(data: unknown): void;
  /** A remark for the person at the terminal. */
  say(text: string): void;
  /** A remark for those who asked for more with `--verbose`. */
  mention(text: string): void;
  /** Says how far long work is: over and over on one line of a terminal, else now and then. */
  progress(text: string): void;
  /** Takes the progress line away. */
  settle(): void;
  /** The last remark: whatever is still under way says nothing any more. */
  end(text: string): void;
}

const REDRAW_MS = 100;
const PLAIN_MS = 5_000;
/** Returns to the start of the line and erases it. */
const ERASE = '\r\u001b[2K';

/** The terminal, or the pipes and files that stand in its place. */
export function createTerminal(options: TerminalOptions): Terminal {
  const { stdout, stderr } = options;
  const now = options.now ?? (() => performance.now());
  const isTerminal = stderr.isTTY === true;
  let saidAt = isTerminal ? Number.NEGATIVE_INFINITY : now();
  let isDrawn = false;
  let isOver = false;

  function settle(): void {
    if (isDrawn) stderr.write(ERASE);
    isDrawn = false;
  }

  function write(stream: TerminalStream, line: string): void {
    if (isOver) return;
    settle();
    stream.write(`${line}\n`);
  }

  function say(text: string): void {
    write(stderr, `sup: ${presentText(text)}`);
  }

  return {
    print: (line) => {
      if (!options.json) write(stdout, line);
    },
    printJson: (data) => {
      if (options.json) write(stdout, JSON.stringify(data, undefined, 2));
    },
    say,
    mention: (text) => {
      if (options.verbose) say(text);
    },
    progress: (text) => {
      if (isOver || now() - saidAt < (isTerminal ? REDRAW_MS : PLAIN_MS)) return;
      saidAt = now();
      if (!isTerminal) return say(text);
      stderr.write(`${ERASE}${presentText(text)}`);
      isDrawn = true;
    },
    settle,
    end: (text) => {
      say(text);
      isOver = true;
    },
  };
}

/** The services' log as remarks: warnings always, the rest for `--verbose`. */
export function createTalkLog(terminal: Terminal): Log {
  return {
    debug: () => undefined,
    info: (message, fields) => terminal.mention(remark(message, fields)),
    warn: (message, fields) => terminal.say(remark(message, fields)),
    error: (message, fields) => terminal.say(remark(message, fields)),
    isEnabled: (level) => level !== 'debug',
  };
}

function remark(message: string, fields: LogFields = {}): string {
  const told = Object.entries(fields).flatMap(([name, value]) => {
    if (value instanceof Error) return [describeError(value)];
    return ['string', 'number', 'boolean'].includes(typeof value) ? [`${name} ${value}`] : [];
  });
  return told.length === 0 ? message : `${message} (${told.join(', ')})`;
}

/** An error in one line; what lies beneath belongs to it when the store has failed. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error;
  const isOfStore = error instanceof AppError && error.code === 'unavailable';
  if (!isOfStore || !(cause instanceof Error) || cause.message === '') return error.message;
  return `${error.message}: ${cause.message}`;
}
