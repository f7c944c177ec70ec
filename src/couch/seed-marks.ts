import { AppError } from '../core/errors.js';

/** What becomes of the marked values of a seed; the keys for it are not this folder's business. */
export interface SeedTransform {
  /** Seals a clear text for one field of one document. */
  readonly seal: (clear: string, documentId: string, field: string) => string;
  /** The keyed digest of an API key. */
  readonly digest: (clear: string) => string;
  /** The fields that let a user of the account sign in with this name and password. */
  readonly password: (
    accountId: string,
    username: string,
    password: string,
  ) => Promise<Readonly<Record<string, unknown>>>;
  /** The digest of the password of the operator that a document is. */
  readonly operator: (username: string, password: string) => Promise<string>;
}

type Fields = Readonly<Record<string, unknown>>;

const MARKS = ['$seal', '$digest', '$operator', '$password'];

/**
 * Replaces `{"$seal": text}`, `{"$digest": text}`, `{"$operator": password}` and
 * `{"$password": {username, password}}` at the top level of a seed. The fields of a password take
 * the place of the field that names it. A mark anywhere else is `internal`: it would be stored in
 * clear.
 */
export async function transformSeed(
  id: string,
  fields: Fields,
  transform: SeedTransform,
): Promise<Record<string, unknown>> {
  const result: Record<string, unknown> = {};
  for (const [field, value] of Object.entries(fields)) {
    const mark = markOf(value);
    if (mark === undefined) {
      if (holdsMark(value)) throw fault(id, field, 'has a mark below the top level');
      result[field] = value;
    } else {
      Object.assign(result, await replace(id, fields, field, mark, transform));
    }
  }
  return result;
}

async function replace(
  id: string,
  fields: Fields,
  field: string,
  [mark, argument]: readonly [string, unknown],
  transform: SeedTransform,
): Promise<Fields> {
  if (mark === '$password') {
    const { username, password } = isFields(argument) ? argument : {};
    const accountId = fields['pvt_account_id'];
    if (
      typeof accountId !== 'string' ||
      typeof username !== 'string' ||
      typeof password !== 'string'
    ) {
      throw fault(id, field, 'needs pvt_account_id, username and password');
    }
    return transform.password(accountId, username, password);
  }
  if (typeof argument !== 'string') throw fault(id, field, `needs a text for ${mark}`);
  if (mark === '$operator') return { [field]: await transform.operator(id, argument) };
  return {
    [field]: mark === '$seal' ? transform.seal(argument, id, field) : transform.digest(argument),
  };
}

function markOf(value: unknown): readonly [string, unknown] | undefined {
  if (!isFields(value)) return undefined;
  const [entry, ...more] = Object.entries(value);
  return entry !== undefined && more.length === 0 && MARKS.includes(entry[0]) ? entry : undefined;
}

function holdsMark(value: unknown): boolean {
  if (Array.isArray(value)) return value.some(holdsMark);
  if (!isFields(value)) return false;
  return Object.entries(value).some(([key, inner]) => MARKS.includes(key) || holdsMark(inner));
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function fault(id: string, field: string, what: string): AppError {
  return new AppError('internal', `seed ${id}: ${field} ${what}`, { subject: id });
}
