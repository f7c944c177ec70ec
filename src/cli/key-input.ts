import { readFile, stat } from 'node:fs/promises';
import { AppError } from '../core/errors.js';
import type { Call } from './command.js';

const KEY_FILE_BYTES_MAX = 8192;

async function readKeyFile(path: string): Promise<string> {
  try {
    if ((await stat(path)).size > KEY_FILE_BYTES_MAX) {
      throw new AppError('invalid', `${path} is over ${KEY_FILE_BYTES_MAX} bytes`);
    }
    const key = (await readFile(path, 'utf8')).trim();
    if (key === '') throw new AppError('invalid', `${path} is empty`);
    return key;
  } catch (error) {
    if (error instanceof AppError) throw error;
    const code = (error as NodeJS.ErrnoException).code;
    throw new AppError('invalid', `${path} cannot be read (${code})`);
  }
}

/**
 * A key of another system, from the file of `--key-file` or else from a pipe or the terminal; as
 * an argument everybody on the machine could read it.
 */
export function readKey(call: Call): Promise<string> {
  const { 'key-file': path } = call.options;
  return path === undefined ? call.input.readSecret('API key') : readKeyFile(path);
}

/** As {@link readKey}, where one was announced by an option; undefined: none was. */
export function readKeyIfGiven(call: Call): Promise<string | undefined> {
  const { 'key-file': path, 'key-stdin': isAsked } = call.options;
  return path === undefined && isAsked !== true ? Promise.resolve(undefined) : readKey(call);
}
