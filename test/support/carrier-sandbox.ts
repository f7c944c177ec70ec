import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { SandboxMessage } from '../../src/carriers/sandbox/messages.js';
import type { JournalEntry } from '../../src/carriers/sandbox/request-journal.js';
import type {
  EquipmentInput,
  FaultInput,
  LineInput,
  MessageInput,
  SandboxLine,
  UsageRecordInput,
} from '../../src/carriers/sandbox/wire.js';

const MAIN = fileURLToPath(new URL('../../dist/carriers/sandbox/main.js', import.meta.url));
const PATIENCE_MS = 10_000;

export interface SandboxOptions {
  /** A folder that stays when the process ends; default: one of its own, removed by `stop`. */
  readonly dataDir?: string;
  /** True: with the demo lines, messages and usage; default: empty. */
  readonly hasDemoContent?: boolean;
  readonly port?: number;
}

/** A sandbox carrier in a process of its own, and the hand on its control endpoint. */
export interface CarrierSandbox {
  readonly url: string;
  readonly apiKey: string;
  readonly pid: number;
  /** As `DATA_DIR` of a service whose MVNO has the driver `sandbox`. */
  readonly dataDir: string;
  /** Adds a line, or replaces those that share its MDN, ESN or SIM. */
  addLine(...lines: LineInput[]): Promise<void>;
  dropLine(kind: 'mdn' | 'esn' | 'sim', value: string): Promise<void>;
  listLines(): Promise<SandboxLine[]>;
  addEquipment(...equipment: EquipmentInput[]): Promise<void>;
  /** Queues messages in the order given; an id may come again. Gives their ids. */
  pushPortMessages(...messages: MessageInput[]): Promise<string[]>;
  /** Sets a usage file to these records, or to this text, however broken. */
  addUsageFile(name: string, content: readonly UsageRecordInput[] | string): Promise<void>;
  /** Puts records behind those of a file, which is then listed again. */
  appendUsage(name: string, records: readonly UsageRecordInput[]): Promise<void>;
  /**
   * `times` is 1 unless said; null: until cleared. Reads are tried three times, so what fails once
   * is not noticed but in the journal: give `times: 3` or null to make a read fail.
   */
  setFault(...faults: FaultInput[]): Promise<void>;
  clearFaults(): Promise<void>;
  /** What `/v1` was asked, oldest first. */
  journal(): Promise<JournalEntry[]>;
  clearJournal(): Promise<void>;
  /** A call to the control endpoint; the answer, whatever it is. */
  control(method: string, path: string, body?: unknown): Promise<{ status: number; body: unknown }>;
  /** `kill -9`; resolves when the process is gone. */
  kill(): Promise<void>;
  /** Ends the process and removes a folder of its own. */
  stop(): Promise<void>;
}

/** Starts a sandbox carrier on a free port. Needs a build. */
export async function startSandbox(options: SandboxOptions = {}): Promise<CarrierSandbox> {
  const dataDir = options.dataDir ?? (await mkdtemp(join(tmpdir(), 'telcouch-carrier-')));
  const args = ['--port', String(options.port ?? 0), '--data-dir', dataDir];
  if (options.hasDemoContent !== true) args.push('--empty');
  const child = fork(MAIN, args, {
    env: { PATH: process.env['PATH'] },
    execArgv: [],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const url = await readyUrl(child);
  const apiKey = await readFile(join(dataDir, 'carrier-sandbox', 'api-key'), 'utf8');
  const end = async (signal: NodeJS.Signals) => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill(signal);
    const timer = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS);
    await gone;
    clearTimeout(timer);
  };
  return {
    url,
    apiKey: apiKey.trim(),
    pid: child.pid ?? 0,
    dataDir,
    ...controlOf(url, apiKey.trim()),
    kill: () => end('SIGKILL'),
    async stop() {
      await end('SIGTERM');
      if (options.dataDir === undefined) {
        await rm(dataDir, { recursive: true, force: true, maxRetries: 5 });
      }
    },
  };
}

async function readyUrl(child: ChildProcess): Promise<string> {
  const waiting = new AbortController();
  const late = sleep(PATIENCE_MS, 'late' as const, { signal: waiting.signal }).catch(() => 'late');
  const told = Promise.race([once(child, 'message'), once(child, 'exit').then(() => undefined)]);
  const first = await Promise.race([told, late]);
  waiting.abort();
  const message = Array.isArray(first) ? (first[0] as SandboxMessage) : undefined;
  if (message?.type === 'ready') return message.url;
  child.kill('SIGKILL');
  throw new Error(`the sandbox did not start: ${message?.message ?? 'it said nothing'}`);
}

function controlOf(url: string, apiKey: string) {
  async function control(method: string, path: string, body?: unknown) {
    const type = typeof body === 'string' ? 'text/csv' : 'application/json';
    const answer = await fetch(`${url}/control/${path}`, {
      method,
      headers: { 'x-api-key': apiKey, 'content-type': type },
      ...(body === undefined
        ? {}
        : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    return { status: answer.status, body: (await answer.json()) as unknown };
  }

  async function must<T>(method: string, path: string, body?: unknown): Promise<T> {
    const answer = await control(method, path, body);
    if (answer.status !== 200) throw new Error(`${path}: ${JSON.stringify(answer)}`);
    return answer.body as T;
  }

  return {
    control,
    addLine: async (...lines: LineInput[]) => void (await must('POST', 'lines', { lines })),
    dropLine: async (kind: string, value: string) =>
      void (await must('DELETE', `lines?${kind}=${encodeURIComponent(value)}`)),
    listLines: async () => (await must<{ lines: SandboxLine[] }>('GET', 'lines')).lines,
    addEquipment: async (...equipment: EquipmentInput[]) =>
      void (await must('POST', 'equipment', { equipment })),
    pushPortMessages: async (...messages: MessageInput[]) =>
      (await must<{ ids: string[] }>('POST', 'port-messages', { messages })).ids,
    addUsageFile: async (name: string, content: readonly UsageRecordInput[] | string) =>
      void (await must(
        'PUT',
        `usage-files/${name}`,
        typeof content === 'string' ? content : { records: content },
      )),
    appendUsage: async (name: string, records: readonly UsageRecordInput[]) =>
      void (await must('POST', `usage-files/${name}`, { records })),
    setFault: async (...faults: FaultInput[]) => void (await must('POST', 'faults', { faults })),
    clearFaults: async () => void (await must('DELETE', 'faults')),
    journal: async () => (await must<{ requests: JournalEntry[] }>('GET', 'journal')).requests,
    clearJournal: async () => void (await must('DELETE', 'journal')),
  };
}
