import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { z } from 'zod';
import { Faults } from './faults.js';
import { openLedger, writeWhole } from './ledger.js';
import { RequestJournal } from './request-journal.js';
import { type Change, messageIdOf, SandboxState } from './state.js';
import { formatUsage, packUsage, unpackUsage } from './usage-csv.js';
import type { messageSchema, SandboxMessage, UsageRecord } from './wire.js';

/** A usage file with this many packed bytes takes no more. */
const FILE_BYTES_MAX = 64 * 1024 * 1024;

/** The carrier without its HTTP: what it knows, durable, and what it was asked. */
export interface Sandbox {
  readonly state: SandboxState;
  readonly faults: Faults;
  readonly journal: RequestJournal;
  /** Durable when it resolves. */
  write(changes: readonly Change[]): Promise<void>;
  /** Queues messages in the order given; the ids they have got. */
  pushMessages(messages: readonly z.output<typeof messageSchema>[]): Promise<string[]>;
  /** Sets the whole content of a file. False: it is what the file has already. */
  putUsageFile(name: string, text: string | Buffer, records: number): Promise<boolean>;
  /** As {@link Sandbox.putUsageFile}, of records. */
  putUsageRecords(name: string, records: readonly UsageRecord[]): Promise<boolean>;
  /** Puts records behind those of a file, which is made when it is not there. */
  appendUsage(name: string, records: readonly UsageRecord[]): Promise<void>;
  /** Packed; undefined: there is no such file. */
  readUsageFile(name: string): Promise<Buffer | undefined>;
  close(): Promise<void>;
}

/** Opens what a folder holds, or begins there. */
export async function openSandbox(dir: string): Promise<Sandbox> {
  const state = new SandboxState();
  const ledger = await openLedger(dir, state);
  const usageDir = join(dir, 'usage');
  await mkdir(usageDir, { recursive: true, mode: 0o700 });
  await removeStrays(usageDir, state);

  async function putUsageFile(
    name: string,
    text: string | Buffer,
    records: number,
  ): Promise<boolean> {
    const before = state.findFile(name);
    const hash = createHash('sha256').update(text).digest('hex').slice(0, 16);
    const stored = `${name}.${hash}.gz`;
    if (before?.stored === stored) return false;
    const packed = await packUsage(text);
    if (packed.length > FILE_BYTES_MAX) throw new RangeError(`${name} would be too large`);
    await writeWhole(join(usageDir, stored), packed);
    const file = { name, stored, size: packed.length, records };
    await ledger.write([{ type: 'usage_file', file }]);
    if (before !== undefined) await rm(join(usageDir, before.stored), { force: true });
    return true;
  }

  async function readUsageFile(name: string): Promise<Buffer | undefined> {
    for (;;) {
      const file = state.findFile(name);
      if (file === undefined) return undefined;
      try {
        return await readFile(join(usageDir, file.stored));
      } catch (error) {
        // A new content may have taken its place between the two steps.
        if (state.findFile(name) === file) throw error;
      }
    }
  }

  let lastFile: Promise<unknown> = Promise.resolve();
  /** One change of a file after the other, because an addition reads what is there. */
  function inTurn<T>(run: () => Promise<T>): Promise<T> {
    const done = lastFile.then(run);
    lastFile = done.catch(() => undefined);
    return done;
  }

  return {
    state,
    faults: new Faults(),
    journal: new RequestJournal(),
    write: ledger.write,
    async pushMessages(messages) {
      const named = messages.map((message, n): SandboxMessage => {
        const seed = JSON.stringify([Date.now(), process.hrtime.bigint().toString(), n, message]);
        return { ...message, id: message.id ?? messageIdOf(seed) };
      });
      await ledger.write(named.map((message) => ({ type: 'message', message })));
      return named.map(({ id }) => id);
    },
    putUsageFile: (name, text, records) => inTurn(() => putUsageFile(name, text, records)),
    putUsageRecords: (name, records) =>
      inTurn(() => putUsageFile(name, formatUsage(records), records.length)),
    appendUsage: (name, records) =>
      inTurn(async () => {
        const packed = await readUsageFile(name);
        const before = packed === undefined ? '' : await unpackUsage(packed);
        const text = `${before}${formatUsage(records, packed === undefined)}`;
        const count = (state.findFile(name)?.records ?? 0) + records.length;
        await putUsageFile(name, text, count);
      }),
    readUsageFile,
    async close() {
      await lastFile;
      await ledger.close();
    },
  };
}

/** Contents whose change was never acknowledged, or that a later one has replaced. */
async function removeStrays(usageDir: string, state: SandboxState): Promise<void> {
  const known = new Set(
    state.filesAfter(0, Number.MAX_SAFE_INTEGER).map(({ item }) => item.stored),
  );
  for (const name of await readdir(usageDir)) {
    if (!known.has(name)) await rm(join(usageDir, name), { force: true });
  }
}
