import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { AppError } from '../core/errors.js';
import type { TerminalStream } from './terminal.js';

/** What a person or a pipe is asked for. */
export interface Input {
  /** True: somebody is there to answer. */
  readonly isInteractive: boolean;
  /** What comes by a pipe, as it comes. */
  readonly stream: AsyncIterable<unknown>;
  /** Asks with the answer shown. Only when interactive. */
  ask(question: string): Promise<string>;
  /**
   * The first line of a pipe; on a terminal asks, with the answer hidden and typed twice.
   * `invalid` when it is empty, too long, or typed differently the second time.
   */
  readSecret(what: string): Promise<string>;
}

/** Longer than any password the service takes. */
const SECRET_BYTES_MAX = 8192;

/** Input from `stdin`, with questions on `stderr`, so that stdout holds results only. */
export function createInput(
  stdin: NodeJS.ReadStream,
  stderr: TerminalStream,
  signal: AbortSignal,
): Input {
  const isInteractive = stdin.isTTY === true;

  async function question(text: string, isHidden: boolean): Promise<string> {
    stderr.write(text);
    const output = isHidden ? new Writable({ write: (_chunk, _encoding, done) => done() }) : stderr;
    const asked = createInterface({ input: stdin, output, terminal: true });
    // In raw mode Ctrl-C is a character: the signal has to be made from it.
    asked.on('SIGINT', () => process.kill(process.pid, 'SIGINT'));
    const closed = new Promise<never>((_resolve, reject) => {
      asked.once('close', () => reject(new AppError('invalid', 'nothing was answered')));
    });
    try {
      return await Promise.race([asked.question('', { signal }), closed]);
    } finally {
      asked.close();
      if (isHidden) stderr.write('\n');
    }
  }

  return {
    isInteractive,
    stream: stdin,
    ask: (text) => question(text, false),
    readSecret: async (what) => {
      if (!isInteractive) return checked(await readLine(stdin), what);
      const secret = checked(await question(`${what}: `, true), what);
      if ((await question(`${what}, again: `, true)) === secret) return secret;
      throw new AppError('invalid', 'the two are not the same');
    },
  };
}

async function readLine(stdin: NodeJS.ReadStream): Promise<string> {
  let text = '';
  for await (const chunk of stdin) {
    text += String(chunk);
    if (text.includes('\n') || text.length > SECRET_BYTES_MAX) break;
  }
  return text.split(/\r?\n/, 1)[0] ?? '';
}

function checked(secret: string, what: string): string {
  if (secret === '') throw new AppError('invalid', `${what}: is empty`);
  if (Buffer.byteLength(secret) > SECRET_BYTES_MAX)
    throw new AppError('invalid', `${what}: is too long`);
  return secret;
}
