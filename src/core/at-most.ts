/** Options of an `LRUCache` for so many entries that takes no memory for those it has not got. */
export function atMost(entries: number): { maxSize: number; sizeCalculation: () => number } {
  // `max` would make arrays of this length at once, for caches that mostly stay small.
  return { maxSize: entries, sizeCalculation: () => 1 };
}
