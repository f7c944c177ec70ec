/** How many writes a revision is from the first one; branches of a document count apart. */
export function generationOf(rev: string): number {
  return Number.parseInt(rev, 10);
}
