import { createReadStream } from 'node:fs';
import { LRUCache } from 'lru-cache';
import { AppError, InvalidError } from '../core/errors.js';
import { type IpAddress, parseIp } from '../core/ip-address.js';
import {
  addressesOf,
  type BlockFault,
  countAddresses,
  MAX_BLOCK,
  parseBlock,
} from '../core/ip-block.js';
import { validate } from '../core/validation.js';
import { ipBody } from '../resources/ips/ips.schema.js';
import type { Call, Outcome } from './command.js';
import { type CsvLine, readCsvLines } from './csv-lines.js';
import { EXIT } from './exit-codes.js';
import { fail, NO_IP, orFail } from './kazoo-line.js';

/** Failures that `--json` holds, at most; without it each of them is a line. */
const MAX_TOLD = 1_000;
/** Addresses that are remembered to find those that a file has twice. */
const MAX_SEEN = 200_000;
const COLUMNS = ['ip', 'zone', 'host'] as const;

interface NewIp {
  readonly ip: IpAddress;
  readonly zone: string;
  readonly host: string;
}

/** Why a line, or an address of a block, was not added. */
interface Failure {
  readonly line?: number;
  readonly ip: string;
  readonly reason: string;
}

/** Fields that the pool can have, or Kazoo's reason and what is wrong with each of them. */
function readFields(fields: Record<string, string>): NewIp | { reason: string; talk: string } {
  try {
    return validate(ipBody, fields);
  } catch (error) {
    if (!(error instanceof InvalidError)) throw error;
    const names = error.issues.map(({ path }) => String(path[0]));
    const faults = error.issues.map(({ path, message }) =>
      path[0] === 'ip' ? NO_IP : `${path[0]}: ${message}`,
    );
    return { reason: `invalid_${names[0]}`, talk: faults.join('; ') };
  }
}

/** `add <ip> <zone> <host>`. What is stored is found again by its one canonical spelling. */
async function addOne(call: Call, typed: Record<string, string>): Promise<Outcome> {
  const line = `unable to add IP ${typed['ip']}`;
  const fields = readFields(typed);
  if ('reason' in fields) return fail(call, line, fields.reason, fields.talk);
  return orFail(call, line, async () => {
    const { services } = await call.open();
    const added = await services.ips.create(fields);
    call.terminal.print(`added IP ${added.ip} to available dedicated ips`);
    return { data: { ip: added.ip, zone: added.zone, host: added.host, status: 'available' } };
  });
}

/** Counts what was added and tells what was not, as it goes. */
function createTally(call: Call) {
  const failures: Failure[] = [];
  let added = 0;
  let failed = 0;
  return {
    addedMore(count: number): void {
      added += count;
    },
    failed(failure: Failure, more = ''): void {
      const where = failure.line === undefined ? '' : `line ${failure.line}: `;
      // A file may hold anything; its control characters must not reach the terminal.
      const ip = failure.ip.slice(0, 100).replaceAll(/\p{Cc}/gu, '?');
      call.terminal.print(`${where}unable to add IP ${ip}: ${failure.reason}${more}`);
      failed += 1;
      if (failures.length < MAX_TOLD) failures.push({ ...failure, ip });
    },
    progress: () => call.terminal.progress(`${added} IPs added, ${failed} failed`),
    sayWhatWasDone(): void {
      if (added > 0) call.terminal.say(`${added} IPs were added before that`);
    },
    outcome(): Outcome {
      call.terminal.settle();
      call.terminal.print(`added ${added} IPs to available dedicated ips`);
      if (failed > 0) call.terminal.print(`${failed} failed`);
      const left = failed - failures.length;
      const data = { added, failed, failures, ...(left > 0 ? { failures_left_out: left } : {}) };
      return failed === 0 ? { data } : { data, exit: EXIT.failed };
    },
  };
}

type Tally = ReturnType<typeof createTally>;

/** Adds what comes; `lineOf` says where a refused address was read. */
async function addAll(
  call: Call,
  tally: Tally,
  all: Iterable<NewIp> | AsyncIterable<NewIp>,
  lineOf: (ip: IpAddress) => number | undefined,
): Promise<Outcome> {
  return orFail(call, 'unable to add IPs', async () => {
    const { services } = await call.open();
    try {
      for await (const { added, refused } of services.ipPool.addMany(all)) {
        tally.addedMore(added.length);
        for (const [ip, error] of refused) {
          const line = lineOf(ip);
          const reason = error === 'forbidden' ? error : 'conflict';
          tally.failed({ ...(line === undefined ? {} : { line }), ip, reason });
        }
        tally.progress();
        if (call.signal.aborted) break;
      }
    } catch (error) {
      tally.sayWhatWasDone();
      throw error;
    }
    return tally.outcome();
  });
}

function describeBlock(fault: BlockFault): string {
  const words = {
    format: 'ip: not a prefix such as 192.0.2.0/28',
    size: `ip: a block has at most ${MAX_BLOCK} addresses`,
    hostBits: `ip: host bits are set; the network is ${'network' in fault ? fault.network : ''}`,
  };
  return words[fault.fault];
}

/** `add <cidr> <zone> <host>`. */
async function addBlock(call: Call, typed: Record<string, string>): Promise<Outcome> {
  const line = `unable to add IP ${typed['ip']}`;
  const block = parseBlock(typed['ip'] ?? '');
  if ('fault' in block) return fail(call, line, 'invalid_ip', describeBlock(block));
  const fields = readFields({ ...typed, ip: block.address });
  if ('reason' in fields) return fail(call, line, fields.reason, fields.talk);
  const { zone, host } = fields;
  function* all(): Generator<NewIp> {
    for (const ip of addressesOf(block as Exclude<typeof block, BlockFault>)) {
      yield { ip, zone, host };
    }
  }
  call.terminal.mention(`${countAddresses(block)} addresses`);
  return addAll(call, createTally(call), all(), () => undefined);
}

/** Where the columns of a header are; undefined when the line is none. */
function readHeader(cells: readonly string[]): readonly number[] | undefined {
  const names = cells.map((cell) => cell.toLowerCase());
  if (!names.includes('ip')) return undefined;
  const places = COLUMNS.map((name) => names.indexOf(name));
  const missing = COLUMNS.filter((_, n) => places[n] === -1);
  if (missing.length === 0) return places;
  throw new AppError('invalid', `the header has no column ${missing.join(', ')}`);
}

/** The addresses of a file; what is wrong with a line is told at once. */
async function* readFile(
  lines: AsyncIterable<CsvLine>,
  tally: Tally,
  seen: LRUCache<IpAddress, number>,
): AsyncGenerator<NewIp> {
  let places: readonly number[] = COLUMNS.map((_, n) => n);
  let isFirst = true;
  let hasHeader = false;
  for await (const one of lines) {
    if ('fault' in one) {
      tally.failed({ line: one.line, ip: '', reason: 'invalid_csv' }, ` (${one.fault})`);
      continue;
    }
    const { line, cells } = one;
    const header = isFirst ? readHeader(cells) : undefined;
    isFirst = false;
    if (header !== undefined) {
      places = header;
      hasHeader = true;
      continue;
    }
    const [ip = '', zone = '', host = ''] = places.map((place) => cells[place] ?? '');
    if (!hasHeader && cells.length !== COLUMNS.length) {
      const more = ` (${cells.length} columns in place of ${COLUMNS.join(', ')})`;
      tally.failed({ line, ip, reason: 'invalid_csv' }, more);
      continue;
    }
    const fields = readFields({ ip, zone, host });
    if ('reason' in fields) {
      tally.failed({ line, ip, reason: fields.reason }, ` (${fields.talk})`);
      continue;
    }
    const before = seen.get(fields.ip);
    if (before === undefined) {
      seen.set(fields.ip, line);
      yield fields;
    } else {
      tally.failed({ line, ip, reason: 'conflict' }, ` (it is in line ${before} as well)`);
    }
  }
}

/** Node's errors of files have a code; everything else is no fault of the file. */
function fileFault(error: unknown): string | undefined {
  if (!(error instanceof Error) || error instanceof AppError || !('code' in error))
    return undefined;
  return 'path' in error || 'syscall' in error ? String(error.code).toLowerCase() : undefined;
}

/** Opens a file when it is read, because one that fails with nobody listening ends the process. */
async function* readPieces(name: string): AsyncGenerator<unknown> {
  yield* createReadStream(name);
}

/** `add <file>`, or `add -` for what comes by a pipe. */
async function addFile(call: Call, name: string): Promise<Outcome> {
  const source = name === '-' ? call.input.stream : readPieces(name);
  const seen = new LRUCache<IpAddress, number>({ max: MAX_SEEN });
  const tally = createTally(call);
  try {
    const all = readFile(readCsvLines(source), tally, seen);
    return await addAll(call, tally, all, (ip) => seen.get(ip));
  } catch (error) {
    const reason = fileFault(error);
    if (reason === undefined) throw error;
    return fail(call, `unable to read ${name}`, reason);
  }
}

/** True when one argument alone names a file; an address alone lacks its zone and host. */
export function isFileName(args: readonly string[]): boolean {
  const [name = ''] = args;
  return (
    args.length === 1 && name !== '' && parseIp(name) === undefined && 'fault' in parseBlock(name)
  );
}

/** Adds an address, a block or the addresses of a file to the pool. */
export async function addIps(call: Call): Promise<Outcome> {
  const [ip = '', zone = '', host = ''] = call.args;
  if (call.args.length === 1) return addFile(call, ip);
  return ip.includes('/') ? addBlock(call, { ip, zone, host }) : addOne(call, { ip, zone, host });
}
