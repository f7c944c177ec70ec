import { createHash } from 'node:crypto';
import { z } from 'zod';
import { InvalidError } from '../../core/errors.js';
import type { Page, PagePosition, PageRequest } from '../../core/paging.js';

/** Kazoo's default page, rows. */
const DEFAULT_PAGE_SIZE = 50;
/** The largest page, rows; `paginate=false` is held to it as well. */
export const MAX_PAGE_SIZE = 10_000;

/** The query parameters of a paged listing (kazoo-crossbar §7). */
export const pageQuery = z.object({
  page_size: z
    .string()
    .optional()
    .meta({ description: `Rows of a page, 1 to ${MAX_PAGE_SIZE}; default ${DEFAULT_PAGE_SIZE}` }),
  start_key: z
    .string()
    .max(2048)
    .optional()
    .meta({ description: 'Where to go on: `next_start_key` of the page before' }),
  paginate: z
    .enum(['true', 'false'])
    .optional()
    .meta({ description: 'false: no paging members, unless there are more rows' }),
  ascending: z.enum(['true', 'false']).optional().meta({ description: 'Default false' }),
});

/** A page as the query string asks for it. */
export interface PageQuery extends PageRequest {
  /** False: no paging members in the answer, unless it had to be cut. */
  readonly paginate: boolean;
  readonly startText: string | undefined;
}

function encodePosition(position: PagePosition): string {
  return Buffer.from(JSON.stringify([position.key, position.id])).toString('base64url');
}

function decodePosition(text: string): PagePosition {
  try {
    const parsed: unknown = JSON.parse(Buffer.from(text, 'base64url').toString('utf8'));
    if (Array.isArray(parsed) && parsed.length === 2 && typeof parsed[1] === 'string') {
      return { key: parsed[0], id: parsed[1] };
    }
  } catch {
    // Falls through to the one message both faults deserve.
  }
  throw new InvalidError([
    {
      path: ['start_key'],
      rule: 'invalid',
      message: 'start_key must be the next_start_key of an earlier page',
      details: { value: text },
    },
  ]);
}

/**
 * What a client asked for; an unusable page_size means the default, as in Kazoo, and one that is
 * too large the largest.
 */
export function readPageQuery(query: z.output<typeof pageQuery>): PageQuery {
  const asked = Number(query.page_size);
  const isUsable = Number.isInteger(asked) && asked > 0;
  const paginate = query.paginate !== 'false';
  const size = isUsable ? Math.min(asked, MAX_PAGE_SIZE) : DEFAULT_PAGE_SIZE;
  return {
    size: paginate ? size : MAX_PAGE_SIZE,
    paginate,
    descending: query.ascending !== 'true',
    start: query.start_key === undefined ? undefined : decodePosition(query.start_key),
    startText: query.start_key,
  };
}

/** Schemas of the members a page has beside `data`. */
export const pageMembers = {
  page_size: z.int().optional(),
  start_key: z.string().optional(),
  next_start_key: z.string().optional(),
};

/**
 * The answer to a listing: rows, and the paging members unless they were switched off. A listing
 * that was cut says so all the same, or its client would take a part for the whole.
 */
export function presentPage<T>(
  request: PageQuery,
  page: Page<T>,
): { data: T[]; members?: Readonly<Record<string, unknown>> } {
  const next = page.next === undefined ? {} : { next_start_key: encodePosition(page.next) };
  const start = request.startText === undefined ? {} : { start_key: request.startText };
  return {
    data: [...page.rows],
    members: request.paginate ? { page_size: page.rows.length, ...start, ...next } : next,
  };
}

/** The revision of an answer that is no single document: Kazoo's automatic ETag (§4.4). */
export function contentRevision(data: unknown): string {
  return createHash('md5').update(JSON.stringify(data)).digest('hex');
}
