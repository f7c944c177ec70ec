import { AppError } from '../../core/errors.js';
import type { PagePosition } from '../../core/paging.js';
import { databases } from '../../couch/databases.js';
import { type KeyRange, readPage } from '../../couch/listing.js';
import type { Couch, ViewRow } from '../../couch/types.js';
import { fromDoc, type RoutingKind } from './routing.doc.js';

/** As what an address stands in a document. */
export type IpRole = 'sbc' | 'cluster_inbound' | 'cluster_outbound' | 'media_top';

/** A place where an address stands. */
export interface IpPlace {
  readonly role: IpRole;
  readonly id: string;
  readonly name: string;
  readonly zone?: string;
  readonly carrier?: string;
}

export interface Gateway {
  readonly ip: string;
  readonly zone: string;
}

/** An SBC to send a call to; its addresses are tried in their order. */
export interface SbcTarget {
  readonly id: string;
  readonly name: string;
  readonly zone?: string;
  readonly ips: readonly string[];
}

/** That a document refers to another. */
export interface Reference {
  readonly kind: 'carrier_sbc' | 'media_server';
  readonly id: string;
  readonly name: string;
  readonly field: string;
  /** What it refers to. */
  readonly target: { readonly kind: 'carrier_sbc' | 'media_server'; readonly id: string };
}

const BATCH = 2_000;
/** Rows of one question, at most: installations have tens of documents. */
const MAX_ROWS = 200_000;
const MAX_PLACES = 1_000;
const MAX_GATEWAYS = 64 * 256;
const MAX_SBCS = 1_000;

type View = readonly ['routing', string];
const view = (name: string): View => ['routing', name];
const text = (value: unknown) => (typeof value === 'string' ? value : undefined);
const texts = (value: unknown) => (Array.isArray(value) ? value.filter(isText) : []);
const isText = (value: unknown): value is string => typeof value === 'string';
const fieldsOf = (value: unknown) => (value ?? {}) as Readonly<Record<string, unknown>>;

function placeOf(row: ViewRow): IpPlace {
  const { name, zone, carrier } = fieldsOf(row.value);
  return {
    role: (row.key as [string, IpRole])[1],
    id: String(row.id),
    name: String(name),
    ...(text(zone) === undefined ? {} : { zone: String(zone) }),
    ...(text(carrier) === undefined ? {} : { carrier: String(carrier) }),
  };
}

function referenceOf(row: ViewRow): Reference {
  const [target, id] = row.key as ['sbc' | 'media', string];
  const { name, field } = fieldsOf(row.value);
  return {
    kind: target === 'sbc' ? 'media_server' : 'carrier_sbc',
    id: String(row.id),
    name: String(name),
    field: String(field),
    target: { kind: target === 'sbc' ? 'carrier_sbc' : 'media_server', id },
  };
}

export type QuestionStore = ReturnType<typeof createQuestionStore>;

/** What views of `routing-top` know of who is where. */
export function createQuestionStore(deps: { couch: Couch }) {
  const database = deps.couch.database(databases.routing);

  /** The rows of a whole stretch of a view, read in parts. */
  async function* rowsOf(name: View, range: KeyRange): AsyncGenerator<ViewRow> {
    let start: PagePosition | undefined;
    let count = 0;
    do {
      const page = await readPage(database, name, range, { size: BATCH, descending: false, start });
      yield* page.rows;
      count += page.rows.length;
      start = page.next;
      if (count > MAX_ROWS) {
        throw new AppError('unprocessable', 'there is too much routing data for one answer', {
          reason: 'too_much_routing_data',
        });
      }
    } while (start !== undefined);
  }

  return {
    /** Where an address stands, by role; the address is canonical. */
    async findPlaces(ip: string): Promise<readonly IpPlace[]> {
      const query = { startKey: [ip], endKey: [ip, {}], limit: MAX_PLACES };
      return (await database.view(view('by_ip'), query)).map(placeOf);
    },

    /** The gateways of a cluster in every zone, by zone and in their order. */
    async listGateways(clusterId: string): Promise<readonly Gateway[]> {
      const prefix = [clusterId, 'inbound'];
      const query = { startKey: prefix, endKey: [...prefix, {}], limit: MAX_GATEWAYS };
      const rows = await database.view(view('cluster_gateways'), query);
      return rows.map(({ key, value }) => ({
        ip: String(value),
        zone: String((key as readonly unknown[])[2]),
      }));
    },

    /** What a media server tries for a carrier, in order; an id without SBC has none. */
    async listPriority(
      mediaServerId: string,
      carrier: string,
    ): Promise<readonly { readonly id: string; readonly sbc: SbcTarget | undefined }[]> {
      const prefix = [mediaServerId, carrier];
      const query = { startKey: prefix, endKey: [...prefix, {}], limit: MAX_SBCS };
      const rows = await database.view(view('media_sbc_order'), { ...query, includeDocs: true });
      return rows.map(({ value, doc }) => {
        // A store may show the tombstone of a linked document.
        const isThere = doc !== undefined && doc._deleted !== true;
        const found = isThere ? fromDoc('carrier_sbc', doc) : undefined;
        const zone = text(fieldsOf(found?.fields['location'])['zone']);
        return {
          id: String(fieldsOf(value)['_id']),
          sbc: found && {
            id: found.id,
            name: found.name,
            ...(zone === undefined ? {} : { zone }),
            ips: texts(found.fields['ips']),
          },
        };
      });
    },

    /** The SBCs of a carrier, by zone and id. */
    async listSbcs(carrier: string): Promise<readonly SbcTarget[]> {
      const query = { startKey: [carrier], endKey: [carrier, {}], limit: MAX_SBCS };
      const rows = await database.view(view('sbc_by_carrier_zone'), query);
      return rows.map(({ id, key, value }) => {
        const { name, ips } = fieldsOf(value);
        const zone = String((key as readonly unknown[])[1]);
        return { id: String(id), name: String(name), zone, ips: texts(ips) };
      });
    },

    /** Every address with the places where it stands, by address. */
    async *eachPlace(): AsyncGenerator<{ readonly ip: string; readonly place: IpPlace }> {
      for await (const row of rowsOf(view('by_ip'), { prefix: [] })) {
        yield { ip: String((row.key as readonly unknown[])[0]), place: placeOf(row) };
      }
    },

    /** Every reference, by what it refers to. */
    async *eachReference(): AsyncGenerator<Reference> {
      for await (const row of rowsOf(view('refs'), { prefix: [] })) yield referenceOf(row);
    },

    async listIds(kind: RoutingKind): Promise<ReadonlySet<string>> {
      const ids = new Set<string>();
      for await (const row of rowsOf(view('by_type'), { prefix: [kind] })) ids.add(String(row.id));
      return ids;
    },
  };
}
