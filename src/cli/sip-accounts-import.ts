import { createReadStream } from 'node:fs';
import { AppError, hasCode, InvalidError, type Issue } from '../core/errors.js';
import { formatUuid } from '../core/uuid.js';
import type { NewSipAccount } from '../resources/sip-accounts/sip-accounts.doc.js';
import { checkSipAccount } from '../resources/sip-accounts/sip-accounts.fields.js';
import { SWITCH_FIELDS } from '../resources/sip-accounts/sip-accounts.row.js';
import type { SipAccountService } from '../resources/sip-accounts/sip-accounts.service.js';
import { parseAccountId } from './account-id.js';
import type { Call, Outcome } from './command.js';
import { type CsvLine, readCsvLines } from './csv-lines.js';
import { EXIT } from './exit-codes.js';
import { makePassword } from './new-password.js';
import { describeError } from './terminal.js';

/** The columns of a file; the first two it must have. */
export const COLUMNS = [
  'account',
  'username',
  'password',
  'caller_id_name',
  'internal_caller_id',
  'external_caller_id',
  'allowed_ips',
  ...Object.values(SWITCH_FIELDS),
] as const;

const REQUIRED = ['account', 'username'];
/** Lines worked on at the same time. */
const PARALLEL = 8;
/** Failures and made passwords that `--json` holds, at most; without it each is a line. */
const MAX_TOLD = 10_000;
const PASSWORD_BYTES = 15;

function issue(field: string, message: string): Issue {
  return { path: [field], rule: 'invalid', message };
}

/** What the rules find wrong with the fields that could be read. */
function fieldIssues(fields: Readonly<Record<string, unknown>>): readonly Issue[] {
  try {
    checkSipAccount(fields as unknown as NewSipAccount);
    return [];
  } catch (error) {
    if (error instanceof InvalidError) return error.issues;
    throw error;
  }
}

/**
 * A SIP account from texts by column; an empty text is none. `InvalidError` with every fault, those
 * among them that are known already.
 */
export function readSipAccount(
  given: Readonly<Record<string, string>>,
  known: readonly Issue[] = [],
): NewSipAccount {
  const issues: Issue[] = [...known];
  const fields: Record<string, unknown> = {
    username: given['username'] ?? '',
    password: given['password'] ?? '',
  };
  if (given['caller_id_name']) fields['callerIdName'] = given['caller_id_name'];
  if (given['allowed_ips']) fields['allowedIps'] = given['allowed_ips'];
  for (const [name, column] of [
    ['internalCallerId', 'internal_caller_id'],
    ['externalCallerId', 'external_caller_id'],
  ] as const) {
    const text = given[column];
    if (!text) continue;
    if (/^\+?\d{1,15}$/.test(text)) fields[name] = Number(text);
    else issues.push(issue(column, 'must be a number of at most 15 digits'));
  }
  for (const [name, column] of Object.entries(SWITCH_FIELDS)) {
    const text = given[column]?.toLowerCase();
    if (!text) continue;
    if (text === 'true' || text === 'false') fields[name] = text === 'true';
    else issues.push(issue(column, 'must be true or false'));
  }
  issues.push(...fieldIssues(fields));
  if (issues.length > 0) throw new InvalidError(issues);
  return fields as unknown as NewSipAccount;
}

interface Line {
  readonly line: number;
  readonly given: Readonly<Record<string, string>>;
}

/** Where the columns are; `invalid` when the header is none of ours. */
function readHeader(cells: readonly string[]): readonly string[] {
  const names = cells.map((cell) => cell.toLowerCase());
  const missing = REQUIRED.filter((name) => !names.includes(name));
  const known: readonly string[] = COLUMNS;
  const strange = names.filter((name, n) => !known.includes(name) || names.indexOf(name) !== n);
  if (missing.length > 0) {
    throw new AppError('invalid', `the header has no column ${missing.join(', ')}`);
  }
  if (strange.length === 0) return names;
  throw new AppError('invalid', `the header has columns that mean nothing: ${strange.join(', ')}`);
}

/** Without its columns nothing of a file can be used. */
function readFirst(first: CsvLine): readonly string[] {
  if ('cells' in first) return readHeader(first.cells);
  const { line, fault } = first;
  throw new AppError('invalid', `line ${line}, which names the columns: ${fault}`);
}

/** Counts what was made and tells what was not, as it goes. */
function createTally(call: Call) {
  const failures: { line: number; reason: string }[] = [];
  const passwords: { line: number; id: string; password: string }[] = [];
  let created = 0;
  let failed = 0;
  return {
    made(line: number, id: string, address: string, password: string | undefined): void {
      created += 1;
      if (password === undefined) return;
      call.terminal.print(`line ${line}: ${id} ${address} password: ${password}`);
      if (passwords.length < MAX_TOLD) passwords.push({ line, id, password });
    },
    failed(line: number, reason: string): void {
      failed += 1;
      // A file may hold anything; its control characters must not reach the terminal.
      const shown = reason.replaceAll(/\p{Cc}/gu, '?');
      call.terminal.print(`line ${line}: ${shown}`);
      if (failures.length < MAX_TOLD) failures.push({ line, reason: shown });
    },
    progress: () => call.terminal.progress(`${created} SIP accounts created, ${failed} failed`),
    outcome(): Outcome {
      call.terminal.settle();
      call.terminal.print(`created ${created} SIP accounts`);
      if (failed > 0) call.terminal.print(`${failed} failed`);
      const data = { created, failed, failures, passwords };
      return failed === 0 ? { data } : { data, exit: EXIT.failed };
    },
    sayWhatWasDone(): void {
      if (created > 0) call.terminal.say(`${created} SIP accounts were created before that`);
    },
  };
}

type Tally = ReturnType<typeof createTally>;

/** The lines of a file by column; what cannot be read as one is told at once. */
async function* readLines(pieces: AsyncIterable<unknown>, tally: Tally): AsyncGenerator<Line> {
  let columns: readonly string[] | undefined;
  for await (const one of readCsvLines(pieces)) {
    if (columns === undefined) columns = readFirst(one);
    else if ('fault' in one) tally.failed(one.line, one.fault);
    else if (one.cells.length > columns.length) {
      tally.failed(one.line, `${one.cells.length} columns in place of ${columns.length}`);
    } else {
      const given = columns.map((name, n) => [name, one.cells[n] ?? ''] as const);
      yield { line: one.line, given: Object.fromEntries(given) };
    }
  }
  if (columns !== undefined) return;
  throw new AppError('invalid', 'the file is empty; its first line has to name the columns');
}

/** What went wrong, in one line that never quotes a password. */
function reasonOf(error: AppError): string {
  if (!(error instanceof InvalidError)) return describeError(error);
  return error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ');
}

async function importLine(service: SipAccountService, tally: Tally, { line, given }: Line) {
  try {
    const accountId = parseAccountId(given['account'] ?? '');
    const isMade = !given['password'];
    const password = isMade ? makePassword(PASSWORD_BYTES) : (given['password'] ?? '');
    const unknown = accountId === undefined ? [issue('account', 'no such account')] : [];
    const input = readSipAccount({ ...given, password }, unknown);
    const account = await service.create(accountId ?? '', input);
    const address = `${account.username}@${account.realm}`;
    tally.made(line, formatUuid(account.id), address, isMade ? password : undefined);
  } catch (error) {
    // A store that is away fails all lines alike; everything else is one line's matter.
    if (!(error instanceof AppError) || hasCode(error, 'unavailable')) throw error;
    tally.failed(line, reasonOf(error));
  }
  tally.progress();
}

/** Opens a file when it is read, because one that fails with nobody listening ends the process. */
async function* readPieces(name: string): AsyncGenerator<unknown> {
  yield* createReadStream(name);
}

/** Node's errors of files have a code; everything else is no fault of the file. */
function asFileError(error: unknown, name: string): unknown {
  if (!(error instanceof Error) || error instanceof AppError || !('code' in error)) return error;
  return new AppError('invalid', `${name} cannot be read: ${error.message}`, { cause: error });
}

/** `import <file>`. */
export async function importSipAccounts(call: Call): Promise<Outcome> {
  const [name = ''] = call.args;
  const { service } = (await call.open()).services.sipAccounts;
  const tally = createTally(call);
  const lines = readLines(name === '-' ? call.input.stream : readPieces(name), tally);
  const work = async (): Promise<void> => {
    for (;;) {
      const next = await lines.next();
      if (next.done === true || call.signal.aborted) return;
      await importLine(service, tally, next.value);
    }
  };
  try {
    await Promise.all(Array.from({ length: PARALLEL }, work));
  } catch (error) {
    tally.sayWhatWasDone();
    throw asFileError(error, name);
  }
  return tally.outcome();
}
