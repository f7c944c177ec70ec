import { type Command, type Module, usageOf } from './command.js';
import { EXIT, EXIT_MEANINGS } from './exit-codes.js';
import { COMMON_OPTIONS, OPTION_HELP, type OptionName } from './options.js';

type Row = readonly [string, string];

function table(rows: readonly Row[]): string {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}\n`).join('');
}

function optionTable(names: readonly OptionName[]): string {
  return table(names.map((name) => OPTION_HELP[name]));
}

function exitTable(): string {
  const names = Object.keys(EXIT) as (keyof typeof EXIT)[];
  return table(names.map((name) => [String(EXIT[name]), EXIT_MEANINGS[name]]));
}

/** All modules, in one line each. */
export function describeSup(modules: readonly Module[]): string {
  return `Usage: sup [options] <module> <function> [arguments]

Maintenance of telcouch, by Kazoo's names. Works beside the running service, or without it.

Modules:
${table(modules.map(({ name, summary }) => [name, summary]))}
Options:
${optionTable(COMMON_OPTIONS)}
Exit codes:
${exitTable()}
sup help <module> lists its functions.
`;
}

/** All functions of a module, in one line each. */
export function describeModule(module: Module): string {
  const rows = module.commands.map(
    ({ name, parameters, summary }): Row => [[name, ...parameters].join(' '), summary],
  );
  return `Usage: sup ${module.name} <function> [arguments]

${module.summary}

Functions:
${table(rows)}
sup help ${module.name} <function> says more about one.
`;
}

/** One function with its arguments and options. */
export function describeCommand(module: Module, command: Command): string {
  const details = (command.details ?? []).map((line) => `${line}\n`).join('');
  const others = (command.otherForms ?? []).map(
    ({ parameters }) => `       ${usageOf(module, { ...command, parameters })}\n`,
  );
  return `Usage: ${usageOf(module, command)}
${others.join('')}
${command.summary}
${details === '' ? '' : `\n${details}`}
Options:
${optionTable([...(command.options ?? []), ...COMMON_OPTIONS])}`;
}
