import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { AppError } from '../core/errors.js';
import type { IngestReport } from '../resources/usage/usage.ingest.js';
import type { Call, Outcome } from './command.js';
import { EXIT } from './exit-codes.js';

/** Opens a file when it is read, because one that fails with nobody listening ends the process. */
async function* readFile(name: string): AsyncGenerator<unknown> {
  yield* createReadStream(name);
}

async function* unpacked(pieces: AsyncIterable<unknown>): AsyncGenerator<unknown> {
  const gunzip = createGunzip();
  // What fails on the way in comes out of the reading end as well, and is thrown there.
  pipeline(Readable.from(pieces), gunzip).catch(() => undefined);
  yield* gunzip;
}

/** The content of a file, or of what comes by a pipe; carriers pack theirs with gzip. */
function open(call: Call, name: string): AsyncIterable<unknown> {
  const pieces = name === '-' ? call.input.stream : readFile(name);
  return name.endsWith('.gz') ? unpacked(pieces) : pieces;
}

/** Node's errors of files and of gzip have a code; those of the store are `AppError`. */
function asFileError(error: unknown, name: string): unknown {
  if (!(error instanceof Error) || error instanceof AppError || !('code' in error)) return error;
  return new AppError('invalid', `${name} cannot be read: ${error.message}`, { cause: error });
}

/** The counts and months of a report, with the names that scripts see. */
export function presentCounts(report: Omit<IngestReport, 'notes' | 'months'>) {
  const { rows, created, replaced, unchanged, outranked, refused, contradictions } = report;
  return { rows, created, replaced, unchanged, outranked, refused, contradictions };
}

/** One line for people. */
export function describeCounts(report: Omit<IngestReport, 'notes' | 'months'>): string {
  const { rows, created, replaced, unchanged, outranked, refused } = report;
  return (
    `${rows} rows: ${created} new sessions, ${replaced} brought up to date, ` +
    `${unchanged} known, ${outranked} outdated, ${refused} refused`
  );
}

/** `import <file>`. */
export async function importUsage(call: Call): Promise<Outcome> {
  const [name = ''] = call.args;
  const { terminal } = call;
  const { usage } = (await call.open()).services.support;
  const carrier = await usage.chooseCarrier(call.options.carrier);
  let report: IngestReport;
  try {
    report = await usage.ingest({
      carrier,
      pieces: open(call, name),
      isGrowing: false,
      signal: call.signal,
      onProgress: (counts) => terminal.progress(describeCounts(counts)),
    });
  } catch (error) {
    throw asFileError(error, name);
  }
  terminal.settle();
  // A file may have any name; its control characters must not reach the terminal.
  const shown = name.replaceAll(/\p{Cc}/gu, '?');
  for (const { line, reason } of report.notes) terminal.print(`${shown}:${line}: ${reason}`);
  terminal.print(describeCounts(report));
  const data = {
    file: name,
    carrier,
    ...presentCounts(report),
    months: report.months,
    notes: report.notes,
  };
  return report.refused === 0 ? { data } : { data, exit: EXIT.failed };
}
