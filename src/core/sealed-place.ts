/** A step on the way to a value in a document: a member's name, or the n-th of so many items. */
export type Step = string | { readonly n: number; readonly count: number };

/**
 * The name of a place in a document, which sealing binds a value to beside the document's id: a
 * value that is moved does not open. One rule for all documents, so that whoever re-seals them
 * needs no list of fields: members are joined by dots, an item of a list says which it is of how
 * many, from 1. `pvt_api_key`, `voice.sip.password`, `pvt_answer 2/3`. Dots, spaces and per cent
 * signs of a member's own name are percent-encoded, so that no two places have one name.
 */
export function placeName(steps: readonly Step[]): string {
  const parts = steps.map((step, n) => {
    if (typeof step !== 'string') return ` ${step.n}/${step.count}`;
    return (n === 0 ? '' : '.') + encodeName(step);
  });
  return parts.join('');
}

/** Fields with this end hold keyed digests and hashes, which look like sealed values. */
export const DIGEST_END = '_digest';

function encodeName(name: string): string {
  return name.replaceAll('%', '%25').replaceAll('.', '%2E').replaceAll(' ', '%20');
}
