import { type ParseArgsConfig, parseArgs } from 'node:util';

/** Every option; which command takes which is the command's to say. */
const OPTIONS = {
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean', short: 'V' },
  json: { type: 'boolean' },
  timeout: { type: 'string', short: 't' },
  verbose: { type: 'boolean', short: 'v' },
  yes: { type: 'boolean', short: 'y' },
  force: { type: 'boolean' },
  password: { type: 'string' },
  'password-stdin': { type: 'boolean' },
  'key-file': { type: 'string' },
  'key-stdin': { type: 'boolean' },
  carrier: { type: 'string' },
  cascade: { type: 'boolean' },
  'dry-run': { type: 'boolean' },
} as const satisfies ParseArgsConfig['options'];

export type OptionName = keyof typeof OPTIONS;

export interface OptionValues {
  readonly help?: boolean;
  readonly version?: boolean;
  readonly json?: boolean;
  /** Seconds, as typed. */
  readonly timeout?: string;
  readonly verbose?: boolean;
  readonly yes?: boolean;
  readonly force?: boolean;
  readonly password?: string;
  readonly 'password-stdin'?: boolean;
  readonly 'key-file'?: string;
  readonly 'key-stdin'?: boolean;
  readonly carrier?: string;
  readonly cascade?: boolean;
  readonly 'dry-run'?: boolean;
}

/** Options that every command takes. */
export const COMMON_OPTIONS: readonly OptionName[] = [
  'help',
  'version',
  'json',
  'timeout',
  'verbose',
];

/** How help shows an option, and what it does. */
export const OPTION_HELP: Readonly<Record<OptionName, readonly [string, string]>> = {
  help: ['-h, --help', 'say what there is; also: sup help [module] [function]'],
  version: ['-V, --version', 'print the version'],
  json: ['--json', 'print the result as JSON'],
  timeout: ['-t, --timeout <s>', 'give up after so many seconds; default: never'],
  verbose: ['-v, --verbose', 'say on stderr what is being done'],
  yes: ['-y, --yes', 'do not ask'],
  force: ['--force', 'overwrite what is there'],
  password: ['--password <text>', 'the new password; everybody on this machine can see it in ps'],
  'password-stdin': ['--password-stdin', 'ask for the new password, or read it from a pipe'],
  'key-file': ['--key-file <path>', 'read the API key from a file'],
  'key-stdin': ['--key-stdin', 'ask for the API key, or read it from a pipe'],
  carrier: ['--carrier <name>', 'the carrier; default: the only one there is'],
  cascade: ['--cascade', 'delete what belongs to it as well'],
  'dry-run': ['--dry-run', 'check everything and write nothing'],
};

const MAX_TIMEOUT_S = 86_400;

export interface ParsedArguments {
  readonly words: readonly string[];
  readonly options: OptionValues;
}

/** Splits what was typed into words and options; a text says what is wrong with it. */
export function parseArguments(argv: readonly string[]): ParsedArguments | string {
  try {
    const { values, positionals } = parseArgs({
      args: [...argv],
      options: OPTIONS,
      allowPositionals: true,
    });
    const { timeout } = values;
    if (timeout !== undefined && !isTimeout(timeout)) {
      return `--timeout takes seconds, a number above 0 and up to ${MAX_TIMEOUT_S}`;
    }
    return { words: positionals, options: values };
  } catch (error) {
    // What follows the first sentence is advice for programmers.
    if (error instanceof TypeError) return error.message.replace(/\. .*$/s, '');
    throw error;
  }
}

function isTimeout(text: string): boolean {
  return /^\d+(\.\d+)?$/.test(text) && Number(text) > 0 && Number(text) <= MAX_TIMEOUT_S;
}

/** Those of the given options that a command does not take. */
export function strangeOptions(
  given: OptionValues,
  taken: readonly OptionName[] = [],
): readonly string[] {
  const known: readonly string[] = [...COMMON_OPTIONS, ...taken];
  return Object.keys(given).filter((name) => !known.includes(name));
}
