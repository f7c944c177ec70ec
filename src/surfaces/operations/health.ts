import express, { type Router } from 'express';
import { createRecent } from '../../core/recent.js';

/** What the health pages ask. */
export interface HealthDeps {
  /** True from the moment the process is told to end. */
  readonly isDraining: () => boolean;
  /** What keeps the service from being ready, in words; throws when the store is away. */
  readonly listFaults: () => Promise<readonly string[]>;
  /** What is wrong and keeps nobody from being served; it must answer at once. */
  readonly listWarnings?: (() => readonly string[]) | undefined;
}

/** How long `/ready` waits for the store, milliseconds: a probe must get an answer. */
const READY_TIMEOUT_MS = 3_000;
/** How long a good answer of the store is remembered: anyone may ask, without a limit. */
const READY_MAX_AGE_MS = 1_000;
const STORE = 'store';

/**
 * Asks the store for all who wait, one check at a time however long it takes. That something is
 * wrong is not remembered, so that the service is ready as soon as its store is.
 */
function createCheck(deps: HealthDeps): () => Promise<readonly string[]> {
  let running: Promise<readonly string[]> | undefined;
  const recent = createRecent({
    maxAgeMs: READY_MAX_AGE_MS,
    max: 1,
    load: () => {
      running ??= deps.listFaults().finally(() => {
        running = undefined;
      });
      return running;
    },
  });
  return async () => {
    const faults = await recent.get(STORE);
    if (faults.length > 0) recent.forget(STORE);
    return faults;
  };
}

async function findFaults(
  deps: HealthDeps,
  check: () => Promise<readonly string[]>,
): Promise<readonly string[]> {
  if (deps.isDraining()) return ['draining'];
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<readonly string[]>((resolve) => {
    timer = setTimeout(() => resolve(['the store does not answer']), READY_TIMEOUT_MS);
  });
  try {
    return await Promise.race([check(), late]);
  } catch {
    return ['the store is unreachable'];
  } finally {
    clearTimeout(timer);
  }
}

/**
 * `/live`: the process runs; it never asks the store, so that a store that is away restarts
 * nothing. `/ready`: requests can be served now; else 503 with the reasons.
 */
export function createHealth(deps: HealthDeps): Router {
  const router = express.Router();
  const check = createCheck(deps);
  router.get('/live', (_request, response) => {
    response.json({ status: 'live' });
  });
  router.get('/ready', async (_request, response) => {
    const faults = await findFaults(deps, check);
    response.setHeader('cache-control', 'no-store');
    const warnings = deps.listWarnings?.() ?? [];
    const more = warnings.length === 0 ? {} : { warnings };
    if (faults.length === 0) {
      response.json({ status: 'ready', ...more });
      return;
    }
    response.status(503).setHeader('retry-after', '2');
    response.json({ status: 'not ready', faults, ...more });
  });
  return router;
}

/** The health pages' part of the API document. */
export function createHealthPaths(): Record<string, object> {
  const texts = { type: 'array', items: { type: 'string' } };
  const answer = (
    description: string,
    members: Record<string, object>,
    more: Record<string, object> = {},
  ) => ({
    description,
    content: {
      'application/json': {
        schema: {
          type: 'object',
          properties: { ...members, ...more },
          required: Object.keys(members),
          additionalProperties: false,
        },
      },
    },
  });
  const shared = { tags: ['Operations'], security: [] };
  return {
    '/live': {
      get: {
        ...shared,
        operationId: 'getLive',
        summary: 'Whether the process runs; asks nothing of the store',
        responses: { '200': answer('It runs', { status: { const: 'live' } }) },
      },
    },
    '/ready': {
      get: {
        ...shared,
        operationId: 'getReady',
        summary: 'Whether requests can be served now',
        responses: {
          '200': answer(
            'They can; `warnings` are for people: regular work that fails again and again',
            { status: { const: 'ready' } },
            { warnings: texts },
          ),
          '503': answer(
            'They cannot; `faults` says why',
            { status: { const: 'not ready' }, faults: texts },
            { warnings: texts },
          ),
        },
      },
    },
  };
}
