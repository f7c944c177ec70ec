import { AppError, hasCode, type Issue } from '../../core/errors.js';
import { type JsonObject, jsonEquals } from '../../core/json.js';
import { mergePatch } from '../../core/merge.js';
import { isRepeat, newIdFor } from '../../core/operation.js';
import type { Page, PageRequest } from '../../core/paging.js';
import { isPrivateField } from '../../core/private-fields.js';
import { checkFields } from './routing.check.js';
import type { RoutingDocument, RoutingKind } from './routing.doc.js';
import type { PatternJudge } from './routing.judge.js';
import type { ListedRouting, RoutingStore } from './routing.store.js';

type Fields = Readonly<Record<string, unknown>>;
/** Refuses a revision that the caller did not mean. */
export type Match = (revision: string) => void;

/** Tries of one write against others who write the same document, at most. */
const MAX_TRIES = 50;

export type RoutingService = ReturnType<typeof createRoutingService>;

function idIssue(id: string | undefined, value: unknown): Issue {
  const message =
    id === undefined
      ? 'the id is made when the document is created: leave it out'
      : `the id in the body differs from that of the document, ${id}`;
  return { path: ['id'], rule: 'invalid', message, details: { value } };
}

/** Faults of what no client may set: another id, and in a PATCH private fields. */
function identityIssues(id: string | undefined, input: Fields): Issue[] {
  const hasId = Object.hasOwn(input, 'id') && (id === undefined || input['id'] !== id);
  const hidden = Object.keys(input).filter(isPrivateField);
  return [
    ...(hasId ? [idIssue(id, input['id'])] : []),
    ...hidden.map((name) => ({
      path: [name],
      rule: 'forbidden',
      message: 'private fields cannot be changed',
      details: { value: input[name] },
    })),
  ];
}

/** The rules of routing documents: everything is checked, then one document is written. */
export function createRoutingService(deps: {
  readonly store: RoutingStore;
  readonly judge: PatternJudge;
  /** The one carrier of a cluster's MVNO; undefined when it has several or none. */
  readonly findOnlyCarrier: (clusterId: string) => Promise<string | undefined>;
}) {
  const { store, judge } = deps;

  async function get(kind: RoutingKind, id: string): Promise<RoutingDocument> {
    const found = await store.find(kind, id);
    if (found === undefined) {
      throw new AppError('not_found', 'no such routing document', { subject: id });
    }
    return found;
  }

  /** The checked fields of a whole document as a client sent it. */
  function check(kind: RoutingKind, id: string | undefined, input: Fields): Promise<Fields> {
    const { id: _id, ...fields } = input;
    return checkFields(kind, fields, judge, identityIssues(id, input));
  }

  /**
   * Reads, judges and writes until nobody else was quicker: two patches of one document are both
   * in it then, and one that names a revision is refused as soon as that is history.
   */
  async function change<T>(
    kind: RoutingKind,
    id: string,
    match: Match,
    write: (before: RoutingDocument) => Promise<T>,
  ): Promise<T> {
    for (let tries = 1; ; tries += 1) {
      const before = await get(kind, id);
      match(before.revision);
      try {
        return await write(before);
      } catch (error) {
        if (!hasCode(error, 'conflict') || tries >= MAX_TRIES) throw error;
      }
    }
  }

  return {
    get,
    list: (kind: RoutingKind, request: PageRequest): Promise<Page<ListedRouting>> =>
      store.list(kind, request),

    /** A new document under the caller's id; `conflict` when there is one. */
    async create(kind: RoutingKind, id: string, input: Fields): Promise<RoutingDocument> {
      return store.create(kind, id, await check(kind, id, input));
    },

    /** A new document under an id of its own. */
    async add(kind: RoutingKind, input: Fields, clusterId: string): Promise<RoutingDocument> {
      const id = newIdFor(kind);
      const earlier = isRepeat() ? await store.find(kind, id) : undefined;
      if (earlier !== undefined) return earlier;
      const fields = await check(kind, undefined, input);
      const only =
        kind === 'carrier_sbc' && fields['carrier'] === undefined
          ? await deps.findOnlyCarrier(clusterId)
          : undefined;
      return store.create(kind, id, only === undefined ? fields : { ...fields, carrier: only });
    },

    /** POST: other public fields altogether. */
    async replace(
      kind: RoutingKind,
      id: string,
      input: Fields,
      match: Match,
    ): Promise<RoutingDocument> {
      await get(kind, id);
      const fields = await check(kind, id, input);
      return change(kind, id, match, (before) => store.save(before, fields));
    },

    /** PATCH: a merge over what is stored now, judged as a whole. */
    patch(
      kind: RoutingKind,
      id: string,
      input: Fields,
      terms: { readonly match: Match; readonly recursive: boolean },
    ): Promise<RoutingDocument> {
      const faults = identityIssues(id, input);
      const refused = new Set(['id', ...faults.map(({ path }) => path[0])]);
      const changes = Object.fromEntries(
        Object.entries(input).filter(([name]) => !refused.has(name)),
      );
      return change(kind, id, terms.match, async (before) => {
        const merged = mergePatch(before.fields as JsonObject, changes as JsonObject, terms);
        const fields = await checkFields(kind, merged, judge, faults);
        return jsonEquals(fields, before.fields) ? before : store.save(before, fields);
      });
    },

    /** Deletes it, whoever refers to it; the answer is what it was. */
    remove(kind: RoutingKind, id: string, match: Match): Promise<RoutingDocument> {
      return change(kind, id, match, async (before) => {
        await store.remove(before);
        return before;
      });
    },
  };
}
