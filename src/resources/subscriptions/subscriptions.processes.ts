import { readFile, readlink } from 'node:fs/promises';
import { hostname } from 'node:os';
import { newId } from '../../core/operation.js';

/** A process, as others on the same machine can tell whether it still runs. */
interface NamedProcess {
  /** Machine, its start and the space of process ids; undefined where the system tells neither. */
  readonly place?: string;
  readonly pid: number;
  /** Tells two processes apart that get the same id one after the other. */
  readonly token: string;
}

const token = newId();
let own: Promise<NamedProcess> | undefined;

/** What this process writes down of itself. */
export function ownProcess(): Promise<NamedProcess> {
  own ??= readOwn();
  return own;
}

async function readOwn(): Promise<NamedProcess> {
  const named = { pid: process.pid, token };
  try {
    const [bootId, space] = await Promise.all([
      readFile('/proc/sys/kernel/random/boot_id', 'utf8'),
      readlink('/proc/self/ns/pid'),
    ]);
    return { place: [hostname(), bootId.trim(), space].join(' '), ...named };
  } catch {
    // Not Linux: then only time tells that a process has ended.
    return named;
  }
}

/** True when that process has surely ended; false when it runs, or nobody here can know. */
export async function hasEnded(written: unknown): Promise<boolean> {
  const { place, pid, token: other } = (written ?? {}) as Partial<NamedProcess>;
  const here = await ownProcess();
  if (place === undefined || place !== here.place || typeof pid !== 'number') return false;
  if (pid === here.pid) return other !== here.token;
  return !isRunning(pid);
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}
