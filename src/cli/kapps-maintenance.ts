import { AppError, hasCode } from '../core/errors.js';
import {
  accountDatabase,
  accountIdOf,
  systemDatabases,
  USAGE_PREFIX,
  usageMonthOf,
} from '../couch/databases.js';
import {
  installAccountDatabase,
  installSystemDatabase,
  installUsageDatabase,
} from '../couch/install.js';
import type { DatabaseName } from '../couch/types.js';
import { parseAccountId } from './account-id.js';
import type { Call, Command, Module, Outcome } from './command.js';
import { atomOf, EXIT, exitOf } from './exit-codes.js';
import type { Session } from './session.js';
import { describeError } from './terminal.js';

/** What has to be repaired after the databases are right; by database, for one of them alone. */
const REPAIRS = {
  accounts: ['accounts', 'users'],
  authorized_ips: ['authorizedIps'],
  claims: ['accounts', 'users', 'subscriptions', 'ports', 'sipAccounts'],
  dedicated_ips: ['ips'],
  'ports-top': ['ports'],
  sip_auth: ['sipAccounts'],
  'subscriptions-top': ['subscriptions'],
  token_auth: ['tokens'],
} as const satisfies Record<string, readonly (keyof Session['services']['refresh'])[]>;

const ALL_REPAIRS = [
  'conflicts',
  'accounts',
  'users',
  'ips',
  'authorizedIps',
  'subscriptions',
  'ports',
  'sipAccounts',
  'tokens',
] as const;

type Repair = (typeof ALL_REPAIRS)[number];

async function listDatabases({ couch }: Session): Promise<readonly DatabaseName[]> {
  const [found, usage] = await Promise.all([
    couch.listDatabases('account/'),
    couch.listDatabases(USAGE_PREFIX),
  ]);
  // The monthly databases of accounts have no views of ours and nothing that could be refreshed.
  const accounts = found.filter((name) => accountIdOf(name) !== undefined);
  const months = usage.filter((name) => usageMonthOf(name) !== undefined);
  return [...systemDatabases.map(({ name }) => name), ...months, ...accounts];
}

/** Creates the database when it is one of the system's, and brings its design documents along. */
async function refreshDatabase(session: Session, name: DatabaseName, call: Call): Promise<void> {
  const { couch } = session;
  const onProgress = (message: string) => call.terminal.progress(message);
  const system = systemDatabases.find((database) => database.name === name);
  if (system !== undefined) {
    await installSystemDatabase(couch, system, { onProgress });
    return;
  }
  const month = usageMonthOf(name);
  if (month !== undefined) {
    await installUsageDatabase(couch, month, { onProgress });
    return;
  }
  const accountId = accountIdOf(name);
  if (accountId === undefined) throw new AppError('not_found', 'no such database');
  await installAccountDatabase(couch, accountId, { onProgress });
}

/** The copy of one account, whose database was refreshed alone. */
async function repairCopy({ services }: Session, accountId: string): Promise<void> {
  const account = await services.accountStore.findStored(accountId);
  if (account !== undefined) await services.accountStore.saveCopy(account);
}

/** Kazoo's line for each database; one that cannot be refreshed does not keep the others. */
async function refreshDatabases(
  session: Session,
  names: readonly DatabaseName[],
  call: Call,
): Promise<Record<string, string>> {
  const { terminal } = call;
  const failures: Record<string, string> = {};
  for (const [n, name] of names.entries()) {
    if (call.signal.aborted) break;
    terminal.print(`${process.pid} (${n + 1}/${names.length}) refreshing database '${name}'`);
    try {
      await refreshDatabase(session, name, call);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      failures[name] = atomOf(error);
      terminal.print(`    - refresh failed: ${failures[name]}`);
      terminal.say(`${name}: ${describeError(error)}`);
    }
  }
  return failures;
}

/** `copiesWritten` in words of its own. */
function spaced(name: string, between = ' '): string {
  return name.replaceAll(/[A-Z]/g, (letter) => between + letter.toLowerCase());
}

/** Runs the repairs and tells what they changed, in numbers and lists. */
async function repair(session: Session, which: readonly Repair[], call: Call) {
  const { refresh } = session.services;
  const done: Record<string, unknown> = {};
  let isWhole = true;
  for (const name of which) {
    if (call.signal.aborted) break;
    call.terminal.progress(`repairing ${name}`);
    const result: object | number = await refresh[name](call.signal);
    const counts = Object.entries(typeof result === 'number' ? { ended: result } : result);
    const told = counts.filter(([, value]) => typeof value === 'number');
    call.terminal.say(`${name}: ${told.map(([text, n]) => `${n} ${spaced(text)}`).join(', ')}`);
    for (const [, value] of counts) {
      if (!Array.isArray(value)) continue;
      isWhole &&= value.length === 0;
      for (const line of value) call.terminal.say(`${name}: could not be repaired: ${line}`);
    }
    done[name] = Object.fromEntries(counts.map(([text, value]) => [spaced(text, '_'), value]));
  }
  return { done, isWhole };
}

function findDatabase(names: readonly DatabaseName[], text: string): DatabaseName | undefined {
  const accountId = parseAccountId(text);
  const wanted = accountId === undefined ? text : accountDatabase(accountId);
  return names.find((name) => name === wanted);
}

function repairsFor(name: string): readonly Repair[] {
  return Object.hasOwn(REPAIRS, name) ? REPAIRS[name as keyof typeof REPAIRS] : [];
}

async function refresh(call: Call): Promise<Outcome> {
  const session = await call.open({ install: false });
  const all = await listDatabases(session);
  const [typed] = call.args;
  const chosen = typed === undefined ? undefined : findDatabase(all, typed);
  if (typed !== undefined && chosen === undefined) {
    call.terminal.print(`${process.pid} (1/1) refreshing database '${typed}'`);
    call.terminal.print('    - refresh failed: not_found');
    return { data: { error: 'not_found' }, exit: EXIT.failed };
  }
  const names = chosen === undefined ? all : [chosen];
  const failures = await refreshDatabases(session, names, call);
  const which = chosen === undefined ? ALL_REPAIRS : repairsFor(chosen);
  try {
    // A repair needs more databases than the one that was named.
    if (which.length > 0) await call.open();
    const { done, isWhole } = await repair(session, which, call);
    const accountId = chosen === undefined ? undefined : accountIdOf(chosen);
    if (accountId !== undefined) await repairCopy(session, accountId);
    const data = { databases: names.length, failures, repairs: done };
    const isDone = isWhole && Object.keys(failures).length === 0;
    return isDone ? { data } : { data, exit: EXIT.failed };
  } catch (error) {
    if (!(error instanceof AppError) || hasCode(error, 'invalid')) throw error;
    call.terminal.say(`the repair failed: ${describeError(error)}`);
    return { data: { error: atomOf(error), failures }, exit: exitOf(error) };
  }
}

const commands: readonly Command[] = [
  {
    name: 'refresh',
    parameters: ['[database]'],
    summary: 'Create missing databases, deploy the views, repair copies and claims',
    details: [
      'database: its name, or the id of an account; without it all databases are refreshed.',
      'Safe to run at any time, also beside the running service.',
    ],
    run: refresh,
  },
];

/** Kazoo's `kapps_maintenance refresh` (kazoo-crossbar §9). */
export const kappsMaintenance: Module = {
  name: 'kapps_maintenance',
  summary: 'The databases and their views',
  commands,
};
