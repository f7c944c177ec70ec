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

// The examples are what the API pages show; without them they make up values of each type.
const frameShape = {
  auth_token: z.string().optional(),
  node: z.string().meta({ examples: ['rL0gYpYpN6Yq2jWbVZ5d1A'] }),
  request_id: z.string().meta({ examples: ['5f2a6c1d9b7e4f0381c2d3e4f5a6b7c8'] }),
  timestamp: z.iso.datetime().meta({ examples: ['2026-11-22T16:00:00Z'] }),
  tokens: z
    .strictObject({ consumed: z.int(), remaining: z.int() })
    .meta({ examples: [{ consumed: 1, remaining: 5999 }] }),
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
    data: z.unknown().meta({ examples: [{ message: 'bad identifier', cause: '192.0.2.1' }] }),
    error: z
      .string()
      .regex(/^[45]\d\d$/)
      .meta({ examples: ['404'] }),
    message: z.string().meta({ examples: ['bad_identifier'] }),
    ...frameShape,
    status: z.literal('error'),
  })
  .meta({ description: 'An error: `message` names it, `data` says more.' });
