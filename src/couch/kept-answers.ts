import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import { AppError } from '../core/errors.js';
import { placeName } from '../core/sealed-place.js';
import type { SecretBox } from '../core/secret-box.js';

/** An answer that is kept to be given again. */
export interface KeptAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Status and headers alone of an answer that was too large, else all of it. */
export type OpenedAnswer = Omit<KeptAnswer, 'body'> & { readonly body: string | undefined };

/** The largest answer that is kept, compressed bytes: CouchDB takes documents up to 8 MB. */
const KEPT_BYTES_MAX = 2 * 1024 * 1024;
/** The largest answer that any compressed one may become again, bytes. */
const OPENED_BYTES_MAX = 128 * 1024 * 1024;
/** As base64 this is what the secret box takes at once. */
const PIECE_BYTES = 48 * 1024;

const compress = promisify(gzip);
const expand = promisify(gunzip);

/** Each piece says which it is of how many, so that none can be left out or change its place. */
function fieldOf(n: number, count: number): string {
  return placeName(['pvt_answer', { n: n + 1, count }]);
}

/**
 * Seals an answer for its record, because it may show a token or a key. In pieces, compressed; an
 * answer that is too large is kept without its body.
 */
export async function sealAnswer(
  box: SecretBox,
  documentId: string,
  answer: KeptAnswer,
): Promise<readonly string[]> {
  const whole = await compress(JSON.stringify(answer));
  const { body: _body, ...head } = answer;
  const bytes = whole.length > KEPT_BYTES_MAX ? await compress(JSON.stringify(head)) : whole;
  const count = Math.ceil(bytes.length / PIECE_BYTES);
  return Array.from({ length: count }, (_, n) => {
    const piece = bytes.subarray(n * PIECE_BYTES, (n + 1) * PIECE_BYTES);
    return box.seal(piece.toString('base64'), documentId, fieldOf(n, count));
  });
}

/** Opens what {@link sealAnswer} made; `internal` when it was changed or its key is gone. */
export async function openAnswer(
  box: SecretBox,
  documentId: string,
  pieces: readonly string[],
): Promise<OpenedAnswer> {
  const opened = pieces.map((sealed, n) =>
    Buffer.from(box.open(sealed, documentId, fieldOf(n, pieces.length)), 'base64'),
  );
  const bytes = await expand(Buffer.concat(opened), { maxOutputLength: OPENED_BYTES_MAX });
  const answer = JSON.parse(bytes.toString('utf8')) as Partial<OpenedAnswer>;
  if (typeof answer.status !== 'number' || typeof answer.headers !== 'object') {
    throw new AppError('internal', 'not an answer of ours', { subject: documentId });
  }
  return { status: answer.status, headers: answer.headers, body: answer.body };
}
