import { ConfigError } from '../config.js';
import { AppError, InvalidError, type Issue } from '../core/errors.js';
import { newId, type Operation, runOperation } from '../core/operation.js';
import { VERSION } from '../version.js';
import { type Command, fits, type Module, type Outcome, usageOf } from './command.js';
import { EXIT, type ExitCode, exitOf } from './exit-codes.js';
import { describeCommand, describeModule, describeSup } from './help.js';
import { createInput } from './input.js';
import { modules } from './modules.js';
import { type OptionValues, parseArguments, strangeOptions } from './options.js';
import type { Session } from './session.js';
import { createTerminal, describeError, type Terminal, type TerminalStream } from './terminal.js';

/** The process, or what a test puts in its place. */
export interface Surroundings {
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: TerminalStream;
  readonly stderr: TerminalStream;
  /** Aborted with the exit code as its reason when the command is to end. */
  readonly ending: AbortController;
}

/** Kazoo's words, to the letter. */
const WRONG = 'Invalid command or wrong number of arguments, please try again';

/** Runs `sup <module> <function> [arguments]`; resolves to the exit code. */
export async function runSup(
  argv: readonly string[],
  surroundings: Surroundings,
): Promise<ExitCode> {
  const { stdout, stderr } = surroundings;
  const parsed = parseArguments(argv);
  if (typeof parsed === 'string') {
    stderr.write(`sup: ${parsed}\n`);
    return EXIT.usage;
  }
  const { options } = parsed;
  if (options.version) {
    stdout.write(`${VERSION}\n`);
    return EXIT.ok;
  }
  const { words, wantsHelp } = withoutHelp(parsed.words, options);
  const module = modules.find(({ name }) => name === words[0]);
  const command = module?.commands.find(({ name }) => name === words[1]);
  if (wantsHelp) {
    const text = helpOn(words, module, command);
    if (text !== undefined) {
      stdout.write(text);
      return EXIT.ok;
    }
  } else if (words.length === 0) {
    stderr.write(describeSup(modules));
    return EXIT.usage;
  }
  if (module === undefined || command === undefined || wantsHelp) {
    stderr.write(`${WRONG}\n`);
    return EXIT.usage;
  }
  return judgeAndRun({ module, command, args: words.slice(2), options }, surroundings);
}

/** `help` may stand before the module, the function or the end, and `--help` anywhere. */
function withoutHelp(words: readonly string[], options: OptionValues) {
  const at = words.indexOf('help');
  const isWord = at === 0 || at === 1 || (at === 2 && words.length === 3);
  return {
    words: isWord ? words.filter((_, n) => n !== at) : words,
    wantsHelp: isWord || options.help === true,
  };
}

/** Undefined when there is no such thing to help with. */
function helpOn(
  words: readonly string[],
  module: Module | undefined,
  command: Command | undefined,
): string | undefined {
  if (words.length === 0) return describeSup(modules);
  if (module === undefined) return undefined;
  if (words.length === 1) return describeModule(module);
  return command === undefined ? undefined : describeCommand(module, command);
}

interface Work {
  readonly module: Module;
  readonly command: Command;
  readonly args: readonly string[];
  readonly options: OptionValues;
}

async function judgeAndRun(work: Work, surroundings: Surroundings): Promise<ExitCode> {
  const { module, command, args, options } = work;
  const { stdout, stderr } = surroundings;
  const strange = strangeOptions(options, command.options);
  if (strange.length > 0) {
    stderr.write(`sup: ${command.name} does not take --${strange.join(', --')}\n`);
    return EXIT.usage;
  }
  if (!fits(command, args)) {
    // Kazoo has a function without arguments that only says how to call the other.
    if (args.length === 0) stdout.write(`Please use: ${usageOf(module, command)}\n`);
    else stderr.write(`${WRONG}\n`);
    return EXIT.usage;
  }
  const { verbose = false, json = false } = options;
  const terminal = createTerminal({ stdout, stderr, verbose, json });
  return runWithin(work, terminal, surroundings);
}

/** Runs the command until it is done, its time is over, or a signal ends it; closes the store. */
async function runWithin(
  work: Work,
  terminal: Terminal,
  { stdin, stderr, ending }: Surroundings,
): Promise<ExitCode> {
  const limitMs = work.options.timeout === undefined ? undefined : +work.options.timeout * 1000;
  const timer =
    limitMs === undefined ? undefined : setTimeout(() => ending.abort(EXIT.timeout), limitMs);
  const operation: Operation = {
    requestId: newId(),
    ...(limitMs === undefined ? {} : { deadlineAt: Date.now() + limitMs }),
  };
  const { signal } = ending;
  let opening: Promise<Session> | undefined;
  const open = async ({ install } = { install: true }): Promise<Session> => {
    // Loaded here, because help and refusals should not wait for all of the services.
    const { installStore, openSession } = await import('./session.js');
    opening ??= openSession(terminal, signal);
    const session = await opening;
    if (install) await installStore(session.couch, terminal);
    return session;
  };
  const input = createInput(stdin, stderr, signal);
  const call = { args: work.args, options: work.options, terminal, input, signal, open };
  const ended = new Promise<ExitCode>((resolve) => {
    const end = () => resolve(sayWhyEnded(terminal, signal.reason as ExitCode));
    signal.addEventListener('abort', end, { once: true });
  });
  try {
    return await Promise.race([
      ended,
      runOperation(operation, () => perform(() => work.command.run(call), terminal, signal)),
    ]);
  } finally {
    clearTimeout(timer);
    terminal.settle();
    await closeQuietly(opening);
  }
}

function sayWhyEnded(terminal: Terminal, code: ExitCode): ExitCode {
  terminal.end(code === EXIT.timeout ? 'the time is over; the command is given up' : 'interrupted');
  return code;
}

async function perform(
  run: () => Promise<Outcome>,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<ExitCode> {
  try {
    const { data, exit = EXIT.ok } = await run();
    terminal.printJson(data);
    return exit;
  } catch (error) {
    // What fails after the end was asked for, fails because of it.
    if (signal.aborted) return signal.reason as ExitCode;
    return sayError(error, terminal);
  }
}

function sayError(error: unknown, terminal: Terminal): ExitCode {
  if (error instanceof ConfigError) {
    terminal.settle();
    for (const line of error.message.split('\n')) terminal.say(line);
    return EXIT.store;
  }
  if (error instanceof InvalidError) {
    for (const issue of error.issues) terminal.say(describeIssue(issue));
    return exitOf(error);
  }
  terminal.say(describeError(error));
  if (!(error instanceof AppError) && error instanceof Error) terminal.mention(error.stack ?? '');
  return exitOf(error);
}

/** Kazoo's words for a choice leave out what there is to choose from. */
function describeIssue({ path, rule, message, details }: Issue): string {
  const choices: unknown = details?.['target'];
  const isChoice = rule === 'enum' && Array.isArray(choices);
  return `${path.join('.')}: ${isChoice ? `one of ${choices.join(', ')}` : message}`;
}

/** A store that cannot be closed was opened for this command alone, which is over. */
async function closeQuietly(opening: Promise<Session> | undefined): Promise<void> {
  try {
    await (await opening)?.close();
  } catch {
    // Whatever there was to say about the store has been said when it was opened.
  }
}
