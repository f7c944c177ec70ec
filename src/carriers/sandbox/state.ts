import { createHash } from 'node:crypto';
import type { Kept } from './ledger.js';
import { keyOf } from './spelling.js';
import type { SandboxEquipment, SandboxLine, SandboxMessage } from './wire.js';

/** A change of what the carrier knows; plain data, because the ledger keeps it. */
export type Change =
  | { readonly type: 'line'; readonly line: SandboxLine }
  | { readonly type: 'drop_line'; readonly kind: LineKey; readonly value: string }
  | { readonly type: 'equipment'; readonly equipment: SandboxEquipment }
  | { readonly type: 'message'; readonly message: SandboxMessage }
  | { readonly type: 'ack'; readonly ids: readonly string[] }
  | { readonly type: 'usage_file'; readonly file: UsageFileEntry };

export type LineKey = 'mdn' | 'esn' | 'sim';

/** `stored` is the name on the disk, which a new content changes. */
export interface UsageFileEntry {
  readonly name: string;
  readonly stored: string;
  readonly size: number;
  readonly records: number;
}

export interface Queued<T> {
  readonly seq: number;
  readonly item: T;
}

interface Snapshot {
  readonly seq: number;
  readonly lines: readonly SandboxLine[];
  readonly equipment: readonly SandboxEquipment[];
  readonly messages: readonly Queued<SandboxMessage>[];
  readonly files: readonly Queued<UsageFileEntry>[];
}

/** Lines, devices, messages and files, of each. */
const KEPT_MAX = 100_000;

const KINDS: readonly LineKey[] = ['mdn', 'esn', 'sim'];

/** What the carrier knows, in memory; the ledger makes it durable. */
export class SandboxState implements Kept<Change> {
  #seq = 0;
  #lines = new Map<LineKey, Map<string, SandboxLine>>();
  #all = new Set<SandboxLine>();
  #equipment = new Map<string, SandboxEquipment>();
  #messages: Queued<SandboxMessage>[] = [];
  #files = new Map<string, Queued<UsageFileEntry>>();

  /** True while nothing was ever written. */
  isEmpty(): boolean {
    return this.#all.size + this.#equipment.size + this.#seq === 0;
  }

  /** False: what it keeps in memory and writes into snapshots is as much as it takes. */
  hasRoom(): boolean {
    const counts = [this.#all.size, this.#equipment.size, this.#messages.length, this.#files.size];
    return Math.max(...counts) < KEPT_MAX;
  }

  findLine(kind: LineKey, value: string): SandboxLine | undefined {
    return this.#lines.get(kind)?.get(keyOf(kind, value));
  }

  lines(): readonly SandboxLine[] {
    return [...this.#all];
  }

  findEquipment(esn: string): SandboxEquipment | undefined {
    return this.#equipment.get(keyOf('esn', esn));
  }

  equipment(): readonly SandboxEquipment[] {
    return [...this.#equipment.values()];
  }

  /** Messages behind `after` that were not acknowledged, in the order they were pushed. */
  messagesAfter(after: number, limit: number): readonly Queued<SandboxMessage>[] {
    const from = this.#messages.findIndex(({ seq }) => seq > after);
    return from < 0 ? [] : this.#messages.slice(from, from + limit);
  }

  /** Usage files behind `after`, in the order of their last change. */
  filesAfter(after: number, limit: number): readonly Queued<UsageFileEntry>[] {
    return [...this.#files.values()].filter(({ seq }) => seq > after).slice(0, limit);
  }

  findFile(name: string): UsageFileEntry | undefined {
    return this.#files.get(name)?.item;
  }

  apply(change: Change): void {
    switch (change.type) {
      case 'line':
        this.#putLine(change.line);
        break;
      case 'drop_line':
        this.#dropLine(change.kind, change.value);
        break;
      case 'equipment':
        this.#equipment.set(keyOf('esn', change.equipment.esn), change.equipment);
        break;
      case 'message':
        this.#messages.push({ seq: this.#nextSeq(), item: change.message });
        break;
      case 'ack': {
        const ids = new Set(change.ids);
        this.#messages = this.#messages.filter(({ item }) => !ids.has(item.id));
        break;
      }
      case 'usage_file':
        // Deleted first, because a map keeps the place of a key it has.
        this.#files.delete(change.file.name);
        this.#files.set(change.file.name, { seq: this.#nextSeq(), item: change.file });
        break;
    }
  }

  snapshot(): Snapshot {
    return {
      seq: this.#seq,
      lines: this.lines(),
      equipment: this.equipment(),
      messages: this.#messages,
      files: [...this.#files.values()],
    };
  }

  restore(snapshot: unknown): void {
    const { seq, lines, equipment, messages, files } = snapshot as Snapshot;
    this.#seq = seq;
    for (const line of lines) this.#putLine(line);
    for (const each of equipment) this.#equipment.set(keyOf('esn', each.esn), each);
    this.#messages = [...messages];
    this.#files = new Map(files.map((queued) => [queued.item.name, queued]));
  }

  #nextSeq(): number {
    this.#seq += 1;
    return this.#seq;
  }

  /** A number, device or SIM is on one line, so whoever had one of these before is gone. */
  #putLine(line: SandboxLine): void {
    for (const kind of KINDS) {
      const value = line[kind];
      if (value !== null) this.#dropLine(kind, value);
    }
    this.#all.add(line);
    for (const kind of KINDS) {
      const value = line[kind];
      if (value === null) continue;
      const index = this.#lines.get(kind) ?? new Map<string, SandboxLine>();
      this.#lines.set(kind, index.set(keyOf(kind, value), line));
    }
  }

  #dropLine(kind: LineKey, value: string): void {
    const line = this.findLine(kind, value);
    if (line === undefined) return;
    this.#all.delete(line);
    for (const each of KINDS) {
      const held = line[each];
      if (held !== null) this.#lines.get(each)?.delete(keyOf(each, held));
    }
  }
}

/** An id for a message that was pushed without one. */
export function messageIdOf(seed: string): string {
  return `msg-${createHash('sha256').update(seed).digest('hex').slice(0, 16)}`;
}
