/**
 * Work that waits, handed out owner by owner in turns: whoever has much waiting holds up nobody
 * else.
 */
export class FairQueue<T> {
  readonly #lines = new Map<string, T[]>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  sizeOf(owner: string): number {
    return this.#lines.get(owner)?.length ?? 0;
  }

  push(owner: string, item: T): void {
    const line = this.#lines.get(owner);
    if (line === undefined) this.#lines.set(owner, [item]);
    else line.push(item);
    this.#size += 1;
  }

  /** True when {@link take} would find something. */
  has(isAllowed: (owner: string) => boolean): boolean {
    return [...this.#lines.keys()].some(isAllowed);
  }

  /** The first item of the owner, among those allowed, whose last turn is longest ago. */
  take(isAllowed: (owner: string) => boolean): T | undefined {
    const owner = [...this.#lines.keys()].find(isAllowed);
    if (owner === undefined) return undefined;
    const line = this.#lines.get(owner) ?? [];
    const item = line.shift();
    this.#size -= 1;
    this.#lines.delete(owner);
    if (line.length > 0) this.#lines.set(owner, line);
    return item;
  }

  /** Takes one item out; false when it does not wait any more. */
  remove(owner: string, item: T): boolean {
    const line = this.#lines.get(owner) ?? [];
    const place = line.indexOf(item);
    if (place < 0) return false;
    line.splice(place, 1);
    this.#size -= 1;
    if (line.length === 0) this.#lines.delete(owner);
    return true;
  }

  /** Takes everything out. */
  clear(): readonly T[] {
    const all = [...this.#lines.values()].flat();
    this.#lines.clear();
    this.#size = 0;
    return all;
  }
}
