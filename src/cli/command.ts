import type { ExitCode } from './exit-codes.js';
import type { Input } from './input.js';
import type { OptionName, OptionValues } from './options.js';
import type { Session } from './session.js';
import type { Terminal } from './terminal.js';

/** What a command works with. */
export interface Call {
  readonly args: readonly string[];
  readonly options: OptionValues;
  readonly terminal: Terminal;
  readonly input: Input;
  /** Aborts when the command is to end: a signal came or `--timeout` ran out. */
  readonly signal: AbortSignal;
  /**
   * Opens the store, the first time it is called, so that wrong input is refused without one.
   * Missing databases and design documents are installed, unless `install` is false.
   */
  open(options?: { readonly install: boolean }): Promise<Session>;
}

/** What came of a command; its lines were printed on the way. */
export interface Outcome {
  /** What `--json` prints in place of the lines. */
  readonly data: unknown;
  /** Default: done. */
  readonly exit?: ExitCode;
}

/** A function of a module. */
export interface Command {
  /** Kazoo's name. */
  readonly name: string;
  /** Arguments for people: `<required>` ones, then `[optional]` ones. */
  readonly parameters: readonly string[];
  /** Other arguments that it takes as well; `takes` tells them from arguments that are wrong. */
  readonly otherForms?: readonly {
    readonly parameters: readonly string[];
    takes(args: readonly string[]): boolean;
  }[];
  /** One line. */
  readonly summary: string;
  /** More lines for the command's own help. */
  readonly details?: readonly string[];
  /** The options it takes beside those that all take. */
  readonly options?: readonly OptionName[];
  run(call: Call): Promise<Outcome>;
}

export interface Module {
  readonly name: string;
  readonly summary: string;
  readonly commands: readonly Command[];
}

/** `sup <module> <function> <arguments>`, for help and Kazoo's usage lines. */
export function usageOf(module: Module, command: Command): string {
  return ['sup', module.name, command.name, ...command.parameters].join(' ');
}

/** Whether the arguments fit, by their number or as one of the command's other forms. */
export function fits(command: Command, args: readonly string[]): boolean {
  const count = args.length;
  if (command.otherForms?.some((form) => form.takes(args))) return true;
  const required = command.parameters.filter((text) => text.startsWith('<')).length;
  return count >= required && count <= command.parameters.length;
}
