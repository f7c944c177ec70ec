import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import { parse } from 'csv-parse/sync';
import { stringify } from 'csv-stringify/sync';
import type { UsageRecord } from './wire.js';

/** The columns of a usage file, in their order (docs/carriers.md). */
const COLUMNS = [
  'session_id',
  'record_type',
  'start',
  'end',
  'mdn',
  'imsi',
  'iccid',
  'bytes',
] as const satisfies readonly (keyof UsageRecord)[];

const deflate = promisify(gzip);
const inflate = promisify(gunzip);

/** The text of a usage file, with its heading; without it for records that go behind others. */
export function formatUsage(records: readonly UsageRecord[], hasHeading = true): string {
  return stringify([...records], {
    columns: [...COLUMNS],
    header: hasHeading,
    record_delimiter: '\r\n',
  });
}

/** Packed as it lies on the disk and goes over the wire. */
export async function packUsage(text: string | Buffer): Promise<Buffer> {
  return deflate(text);
}

/** The text of a packed usage file. */
export async function unpackUsage(packed: Buffer): Promise<string> {
  return (await inflate(packed)).toString('utf8');
}

/**
 * The same file from a carrier that reports sessions while they run: before each final record one
 * with half its bytes, and another that comes late, behind all of them.
 */
export async function withInterimRecords(packed: Buffer): Promise<Buffer> {
  const rows = parse<Record<string, string>>(await unpackUsage(packed), { columns: true });
  const interim = rows
    .filter((row) => row['record_type'] === 'final')
    .map((row) => ({
      ...row,
      record_type: 'interim',
      bytes: String(Math.floor(Number(row['bytes']) / 2)),
    }));
  const text = stringify([...interim, ...rows, ...interim], {
    columns: [...COLUMNS],
    header: true,
    record_delimiter: '\r\n',
  });
  return packUsage(text);
}
