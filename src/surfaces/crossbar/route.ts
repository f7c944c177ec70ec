import { z } from 'zod';
import type { Caller, CallerCluster } from '../../core/caller.js';
import { AppError, InvalidError, type Issue } from '../../core/errors.js';
import type { JsonObject } from '../../core/json.js';
import { validate } from '../../core/validation.js';
import type { Access } from './access.js';
import type { PathAccount } from './caller.js';

export const methods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;
export type Method = (typeof methods)[number];

/** What a route answers with. */
export interface Reply<T> {
  readonly data: T;
  /** The revision of the one document answered; lists leave it out and get a hash of the data. */
  readonly revision?: string;
  /** Path of what was created, below the surface's base. */
  readonly location?: string;
  /** Members beside `data`. */
  readonly members?: Readonly<Record<string, unknown>>;
  /** A new token for the envelope. */
  readonly authToken?: string;
  /** In place of the route's own status. */
  readonly status?: 200 | 201;
}

/** An answer of another media type than JSON; its length is not known before its end. */
export interface StreamReply {
  readonly stream: AsyncIterable<string>;
  /** What browsers call it when they save it. */
  readonly fileName: string;
}

/** What a request brings to a route, before the route's own schemas have seen it. */
export interface RawInput {
  readonly params: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, unknown>>;
  readonly envelope: JsonObject | undefined;
  /** The envelope's `data` without private fields; `{}` where there is none. */
  readonly data: unknown;
  readonly caller: Caller | undefined;
  readonly pathAccount: PathAccount | undefined;
  readonly authToken: string | undefined;
  /** Throws `precondition_failed` when If-Match names other revisions than this one. */
  readonly match: (revision: string) => void;
  /** What the client wants to read: JSON, or one of the route's other media types. */
  readonly mediaType: string;
  /** The client's address. */
  readonly address: string;
}

/** What `run` gets: parsed and checked. */
export interface Input<P, Q, B, E> {
  readonly params: P;
  readonly query: Q;
  readonly data: B;
  /** The members beside `data` that the route declares. */
  readonly envelope: E;
  readonly caller: Caller;
  /** Where the route's access is a level in a cluster. */
  readonly cluster: CallerCluster;
  readonly pathAccount: PathAccount | undefined;
  readonly authToken: string | undefined;
  readonly match: (revision: string) => void;
  readonly mediaType: string;
  /** The client's address. */
  readonly address: string;
  /** True: answer as if it were done, and write nothing. */
  readonly isDryRun: boolean;
}

type Shape = z.ZodObject;

/** A route says everything about itself once: validation, API pages and access come from here. */
export interface RouteDeclaration<
  P extends Shape,
  Q extends Shape,
  B extends z.ZodType,
  E extends Shape,
  A extends z.ZodType,
> {
  readonly method: Method;
  /** Below `/v2`, parameters in braces: `/accounts/{account_id}/ips/{ip}`. */
  readonly path: string;
  readonly operationId: string;
  readonly tag: string;
  readonly summary: string;
  readonly description?: string;
  readonly allow: Access;
  readonly params?: P;
  readonly query?: Q;
  /** The schema of `data`. */
  readonly body?: B;
  /**
   * What the API pages show instead, where the service judges the body: together with what only
   * the store knows, so that all faults are in one answer.
   */
  readonly bodyShown?: z.ZodType;
  /** The page's sample sends a body without `data`, so its absence is no fault. */
  readonly dataOptional?: boolean;
  /** The schema of the members beside `data`. */
  readonly envelope?: E;
  /** The schema of the answer's `data`; absent when the answer has none. */
  readonly answer?: A;
  /** Schemas of the members beside the answer's `data`. */
  readonly answerMembers?: Readonly<Record<string, z.ZodType>>;
  /** 200 when absent. */
  readonly status?: 200 | 201;
  /** `run` checks If-Match itself, with `match`; elsewhere an If-Match on a write is a 412. */
  readonly hasPreconditions?: boolean;
  /** `data` keeps its private members, so that `run` can refuse them by name. */
  readonly keepsPrivate?: boolean;
  /** `run` looks at the path's account itself, so a write need not read it before. */
  readonly checksAccount?: boolean;
  /** Failed calls count against the login limit. */
  readonly isLogin?: boolean;
  /** Media types beside JSON that it can answer with; `run` then gives a {@link StreamReply}. */
  readonly media?: readonly string[];
  /** The one media type it answers with, whatever the client accepts; errors are JSON. */
  readonly onlyMedia?: string;
  /** Takes `?dry_run=true`: its answer is a 200 with `dry_run: true` beside the data. */
  readonly hasDryRun?: boolean;
  run(
    input: Input<z.output<P>, z.output<Q>, z.output<B>, z.output<E>>,
  ): Promise<Reply<z.input<A>> | StreamReply>;
}

/** A declared route with its types erased: what the router and the API pages work with. */
export interface Route {
  readonly method: Method;
  readonly path: string;
  readonly operationId: string;
  readonly tag: string;
  readonly summary: string;
  readonly description: string | undefined;
  readonly allow: Access;
  readonly params: z.ZodObject | undefined;
  readonly query: z.ZodObject | undefined;
  readonly body: z.ZodType | undefined;
  readonly dataOptional: boolean;
  readonly envelope: z.ZodObject | undefined;
  readonly answer: z.ZodType | undefined;
  readonly answerMembers: Readonly<Record<string, z.ZodType>>;
  readonly status: 200 | 201;
  readonly hasPreconditions: boolean;
  readonly checksAccount: boolean;
  readonly keepsPrivate: boolean;
  readonly isLogin: boolean;
  readonly media: readonly string[];
  readonly onlyMedia: string | undefined;
  readonly hasDryRun: boolean;
  handle(input: RawInput): Promise<Reply<unknown> | StreamReply>;
}

const nothing = z.object({});

const dryRunQuery = z.object({
  dry_run: z
    .enum(['true', 'false'])
    .optional()
    .meta({ description: 'true: check everything, answer as if it were done, write nothing' }),
});
const dryRunMembers = { dry_run: z.literal(true).optional() };

/** A dry run has created nothing, so its answer is no 201. */
function asDryRun(reply: Reply<unknown> | StreamReply): Reply<unknown> | StreamReply {
  if ('stream' in reply) return reply;
  const { location: _nowhere, ...rest } = reply;
  return { ...rest, status: 200, members: { ...reply.members, dry_run: true } };
}

/** A path parameter that its schema refuses names nothing that exists: 404 with the value. */
function readParams<P extends Shape>(schema: P, params: Readonly<Record<string, string>>) {
  const result = schema.safeParse(params);
  if (result.success) return result.data;
  const name = String(result.error.issues[0]?.path[0] ?? '');
  throw new AppError('not_found', `no such ${name}`, { subject: params[name] ?? name });
}

/** Reads the parts of a request; what is wrong with any of them is said all at once. */
function createReader() {
  const issues: Issue[] = [];
  return {
    /** What comes of a faulty part must not be used before `check` has thrown. */
    read<S extends z.ZodType>(schema: S, input: unknown): z.output<S> {
      try {
        return validate(schema, input);
      } catch (error) {
        if (!(error instanceof InvalidError)) throw error;
        issues.push(...error.issues);
        return undefined as z.output<S>;
      }
    },
    check() {
      if (issues.length > 0) throw new InvalidError(issues);
    },
  };
}

/** Declares a route; see {@link RouteDeclaration}. */
export function route<
  A extends z.ZodType,
  P extends Shape = typeof nothing,
  Q extends Shape = typeof nothing,
  B extends z.ZodType = z.ZodUnknown,
  E extends Shape = typeof nothing,
>(declaration: RouteDeclaration<P, Q, B, E, A>): Route {
  const { params, query, body, envelope, hasDryRun = false } = declaration;
  const shownQuery = hasDryRun ? (query ?? nothing).extend(dryRunQuery.shape) : query;
  return {
    method: declaration.method,
    path: declaration.path,
    operationId: declaration.operationId,
    tag: declaration.tag,
    summary: declaration.summary,
    description: declaration.description,
    allow: declaration.allow,
    params,
    query: shownQuery,
    body: declaration.bodyShown ?? body,
    dataOptional: declaration.dataOptional ?? false,
    envelope,
    answer: declaration.answer,
    answerMembers: { ...declaration.answerMembers, ...(hasDryRun ? dryRunMembers : {}) },
    status: declaration.status ?? 200,
    hasPreconditions: declaration.hasPreconditions ?? false,
    checksAccount: declaration.checksAccount ?? false,
    keepsPrivate: declaration.keepsPrivate ?? false,
    isLogin: declaration.isLogin ?? false,
    media: declaration.media ?? [],
    onlyMedia: declaration.onlyMedia,
    hasDryRun,
    async handle(raw) {
      const named = readParams((params ?? nothing) as P, raw.params);
      const { read, check } = createReader();
      const asked = hasDryRun ? read(dryRunQuery, { dry_run: raw.query['dry_run'] }) : undefined;
      const input = {
        query: read((query ?? nothing) as Q, raw.query),
        data: (body === undefined ? undefined : read(body, raw.data)) as z.output<B>,
        envelope: read((envelope ?? nothing) as E, raw.envelope ?? {}),
      };
      check();
      const isDryRun = asked?.dry_run === 'true';
      const reply = await declaration.run({
        ...input,
        params: named,
        // A route that needs no token does not look at its caller.
        caller: raw.caller as Caller,
        // Nor does one that asks for no level look at the cluster.
        cluster: raw.caller?.cluster as CallerCluster,
        pathAccount: raw.pathAccount,
        authToken: raw.authToken,
        match: raw.match,
        mediaType: raw.mediaType,
        address: raw.address,
        isDryRun,
      });
      return isDryRun ? asDryRun(reply) : reply;
    },
  };
}
