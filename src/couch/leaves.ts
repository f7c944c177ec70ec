import { createHash } from 'node:crypto';
import { parseStored } from './answers.js';
import type { Transport } from './transport.js';
import type { SavedDoc } from './types.js';

const MARK = 'pvt_taken_back';

/** A revision of a document, as it lies at a leaf of its tree. */
export interface Leaf {
  readonly id: string;
  readonly rev: string;
}

/**
 * Takes leaves back, whether or not every node has them yet: each gets the same tombstone however
 * often and by whomever it is taken back. A tombstone never wins over a document, so what else is
 * stored under the id comes to light.
 */
export async function takeBack(
  transport: Transport,
  stored: string,
  leaves: readonly Leaf[],
  deadlineAt: number,
): Promise<void> {
  if (leaves.length === 0) return;
  for (const { id, rev } of leaves) {
    const path = [stored, id].map(encodeURIComponent).join('/');
    transport.report({ kind: 'taken_back', method: 'POST', path, message: rev });
  }
  const docs = leaves.map(({ id, rev }) => tombstoneOf(id, rev));
  await transport.read(
    {
      method: 'POST',
      path: [stored, '_bulk_docs'],
      body: JSON.stringify({ new_edits: false, docs }),
      deadlineAt,
    },
    parseStored,
  );
}

function tombstoneOf(id: string, rev: string): object {
  const [generation, hash] = splitRevision(rev);
  const own = createHash('md5').update(`taken back: ${id} ${rev}`).digest('hex');
  return {
    _id: id,
    _rev: `${generation + 1}-${own}`,
    _revisions: { start: generation + 1, ids: [own, hash] },
    _deleted: true,
    [MARK]: true,
  };
}

/** Whether a tombstone stands for a write that was taken back, and not for a deletion. */
export function isTakenBack(tombstone: SavedDoc): boolean {
  return tombstone[MARK] === true;
}

function splitRevision(rev: string): [generation: number, hash: string] {
  const at = rev.indexOf('-');
  return [Number(rev.slice(0, at)), rev.slice(at + 1)];
}
