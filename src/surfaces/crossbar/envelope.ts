import { createHash } from 'node:crypto';
import { hostname } from 'node:os';
import { z } from 'zod';
import type { ErrorAnswer } from './errors.js';

/** Members every answer has, beside `data` (kazoo-crossbar §4.2). */
export interface EnvelopeFrame {
  readonly requestId: string;
  /** Shown back to the client; a new one after sign-in. */
  readonly authToken?: string;
  /** Only authenticated callers are told the version. */
  readonly version?: string;
  /** What this request took of the rate limit and what is left of it in the window. */
  readonly tokens: { readonly consumed: number; readonly remaining: number };
  readonly now: Date;
}

const node = createHash('md5').update(hostname()).digest('base64url');

function frameMembers(frame: EnvelopeFrame): Record<string, unknown> {
  return {
    ...(frame.authToken === undefined ? {} : { auth_token: frame.authToken }),
    node,
    request_id: frame.requestId,
    timestamp: `${frame.now.toISOString().slice(0, 19)}Z`,
    tokens: frame.tokens,
    ...(frame.version === undefined ? {} : { version: frame.version }),
  };
}

/** A success: `members` stand beside `data`, for resources that need more than `data`. */
export function presentSuccess(
  frame: EnvelopeFrame,
  answer: { data: unknown; revision?: string; members?: Readonly<Record<string, unknown>> },
): Record<string, unknown> {
  return {
    ...answer.members,
    ...(answer.data === undefined ? {} : { data: answer.data }),
    ...(answer.revision === undefined ? {} : { revision: answer.revision }),
    ...frameMembers(frame),
    status: 'success',
  };
}

/** A failure; `error` is the HTTP status as a string, as Kazoo writes it. */
export function presentFailure(frame: EnvelopeFrame, error: ErrorAnswer): Record<string, unknown> {
  return {
    data: error.data,
    error: String(error.status),
    message: error.message,
    ...frameMembers(frame),
    status: 'error',
  };
}

const frameShape = {
  auth_token: z.string().optional(),
  node: z.string(),
  request_id: z.string(),
  timestamp: z.iso.datetime(),
  tokens: z.strictObject({ consumed: z.int(), remaining: z.int() }),
  version: z.string().optional(),
};

/** The schema of a success envelope around `data`. */
export function successEnvelope(
  data: z.ZodType | undefined,
  members: Record<string, z.ZodType> = {},
): z.ZodObject {
  return z.strictObject({
    ...members,
    ...(data === undefined ? {} : { data }),
    revision: z.string().optional(),
    ...frameShape,
    status: z.literal('success'),
  });
}

/** The schema of a failure envelope. */
export const failureEnvelope = z
  .strictObject({
    data: z.unknown(),
    error: z.string().regex(/^[45]\d\d$/),
    message: z.string(),
    ...frameShape,
    status: z.literal('error'),
  })
  .meta({ description: 'An error: `message` names it, `data` says more.' });
