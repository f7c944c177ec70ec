import type { EventEmitter } from 'node:events';
import couchbackup from '@cloudant/couchbackup';
import { request } from 'undici';
import { z } from 'zod';
import { AppError } from '../core/errors.js';
import { databaseName } from './databases.js';
import { badAnswer, unavailable } from './store-errors.js';
import type { DatabaseName } from './types.js';

/** Documents of one request; some of them are large. */
const BUFFER_SIZE = 200;
const PARALLELISM = 2;
const TIMEOUT_MS = 60_000;

/** `total` revisions have been copied so far. */
export type OnCopied = (total: number) => void;

export interface CopyOptions {
  /** Whether attachments are copied; a document that names one cannot be restored without it. */
  readonly attachments: boolean;
  readonly onCopied: OnCopied;
}

/** What the store says of a database. */
export interface DatabaseFacts {
  readonly documents: number;
  /** Its `_security`, which no backup of documents holds. */
  readonly security: Readonly<Record<string, unknown>>;
}

/**
 * Copies whole databases out of the store and into it, with every revision that is not superseded:
 * conflicts and design documents, not what was deleted. The texts are those of couchbackup: a line
 * that says so, then lines that are JSON lists of documents.
 */
export interface Copier {
  /** Resolves to the number of revisions when all is written and the stream has ended. */
  copyOut(
    name: DatabaseName,
    options: CopyOptions & { readonly target: NodeJS.WritableStream },
  ): Promise<number>;
  /** Into a database that is empty. Resolves to the number of revisions. */
  copyIn(
    name: DatabaseName,
    options: CopyOptions & { readonly source: NodeJS.ReadableStream },
  ): Promise<number>;
  /** Undefined when there is no such database. */
  describe(name: DatabaseName): Promise<DatabaseFacts | undefined>;
  protect(name: DatabaseName, security: object): Promise<void>;
}

const options = {
  mode: 'full',
  bufferSize: BUFFER_SIZE,
  parallelism: PARALLELISM,
  requestTimeout: TIMEOUT_MS,
} as const;

const facts = z.looseObject({ doc_count: z.number() });
const security = z.looseObject({});

type Start = (
  done: (error: Error | null, data?: { readonly total: number }) => void,
) => EventEmitter;

/** Opens the store at `url`, which has user and password. */
export function createCopier({ url, dbPrefix }: { url: string; dbPrefix: string }): Copier {
  const server = new URL(url);
  const login = `${decodeURIComponent(server.username)}:${decodeURIComponent(server.password)}`;
  const authorization = `Basic ${Buffer.from(login).toString('base64')}`;
  const base = `${server.origin}${server.pathname.replace(/\/+$/, '')}`;
  const pathOf = (name: DatabaseName) => encodeURIComponent(databaseName(dbPrefix + name));

  /** couchbackup takes the login in the URL only, and quotes the URL in its errors. */
  function urlOf(name: DatabaseName): string {
    return `${server.href.replace(/\/+$/, '')}/${pathOf(name)}`;
  }

  async function run(name: DatabaseName, onCopied: OnCopied, event: string, start: Start) {
    return new Promise<number>((resolve, reject) => {
      const emitter = start((error, data) => {
        if (error === null) resolve(data?.total ?? 0);
        else reject(failure(name, error));
      });
      emitter.on(event, ({ total }: { total: number }) => onCopied(total));
    });
  }

  function failure(name: DatabaseName, error: Error): AppError {
    const text = error.message.replaceAll(server.href, '').replaceAll(server.password, '…');
    return unavailable(`${name} could not be copied: ${text}`, error.name);
  }

  async function ask<T>(path: string, shape: z.ZodType<T>): Promise<T | undefined> {
    const answer = await request(`${base}/${path}`, { headers: { authorization } });
    const body = (await answer.body.json()) as unknown;
    if (answer.statusCode === 404) return undefined;
    if (answer.statusCode !== 200) throw badAnswer(`${answer.statusCode} to a question`);
    const parsed = shape.safeParse(body);
    if (!parsed.success) throw badAnswer('something else than asked for', parsed.error);
    return parsed.data;
  }

  return {
    copyOut: (name, { target, attachments, onCopied }) =>
      run(name, onCopied, 'written', (done) =>
        couchbackup.backup(urlOf(name), target, { ...options, attachments }, done),
      ),
    copyIn: (name, { source, attachments, onCopied }) =>
      run(name, onCopied, 'restored', (done) =>
        couchbackup.restore(source, urlOf(name), { ...options, attachments }, done),
      ),
    async describe(name) {
      const found = await ask(pathOf(name), facts);
      if (found === undefined) return undefined;
      const rules = await ask(`${pathOf(name)}/_security`, security);
      return { documents: found.doc_count, security: rules ?? {} };
    },
    async protect(name, rules) {
      const { statusCode, body } = await request(`${base}/${pathOf(name)}/_security`, {
        method: 'PUT',
        headers: { authorization, 'content-type': 'application/json' },
        body: JSON.stringify(rules),
      });
      await body.dump();
      if (statusCode !== 200) {
        throw new AppError('internal', `${name}: _security could not be set (${statusCode})`);
      }
    },
  };
}
