import { createHash } from 'node:crypto';
import { hostname } from 'node:os';
import { z } from 'zod';
import type { ErrorAnswer } from './errors.js';

/** Members every answer has, beside `data` (kazoo-crossbar §4.2). */
export interface EnvelopeFrame {
  readonly requestId: string;
  /** Shown back to the client; a new one after sign-in. */
  readonly authToken: string | undefined;
  /** Only authenticated callers are told the version. */
  readonly version: string | undefined;
  /** What this request took of the rate limit and what is left of it in the window. */
  readonly tokens: { readonly consumed: number; readonly remaining: number };
  /** Unix milliseconds. */
  readonly nowMs: number;
}

const node = createHash('md5').update(hostname()).digest('base64url');

type Body = Record<string, unknown>;

let shownSecond = 0;
let shownText = '';

/** Seconds are what is shown, and a text is made for each once: requests are many. */
function timestampOf(nowMs: number): string {
  const second = Math.floor(nowMs / 1000);
  if (second !== shownSecond || shownText === '') {
    shownSecond = second;
    shownText = `${new Date(second * 1000).toISOString().slice(0, 19)}Z`;
  }
  return shownText;
}

function addFrame(body: Body, frame: EnvelopeFrame): void {
  if (frame.authToken !== undefined) body['auth_token'] = frame.authToken;
  body['node'] = node;
  body['request_id'] = frame.requestId;
  body['timestamp'] = timestampOf(frame.nowMs);
  body['tokens'] = frame.tokens;
  if (frame.version !== undefined) body['version'] = frame.version;
}

/** A success: `members` stand beside `data`, for resources that need more than `data`. */
export function presentSuccess(
  frame: EnvelopeFrame,
  answer: {
    data: unknown;
    revision?: string | undefined;
    members?: Readonly<Record<string, unknown>> | undefined;
  },
): Record<string, unknown> {
  const body: Body = { ...answer.members };
  if (answer.data !== undefined) body['data'] = answer.data;
  if (answer.revision !== undefined) body['revision'] = answer.revision;
  addFrame(body, frame);
  body['status'] = 'success';
  return body;
}

/** A failure; `error` is the HTTP status as a string, as Kazoo writes it. */
export function presentFailure(frame: EnvelopeFrame, error: ErrorAnswer): Record<string, unknown> {
  const body: Body = {
    data: error.data,
    error: String(error.status),
    message: error.message,
  };
  addFrame(body, frame);
  body['status'] = 'error';
  return body;
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
