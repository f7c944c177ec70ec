import type { IpAddress } from '../../core/ip-address.js';
import { isJsonObject } from '../../core/json.js';
import type { RoutingDocument, RoutingKind } from './routing.doc.js';
import { type FormattedNumber, formatNumber } from './routing.patterns.js';
import type {
  Gateway,
  IpPlace,
  QuestionStore,
  Reference,
  SbcTarget,
} from './routing.questions.store.js';

/** Findings of one sort in a report, at most. */
const MAX_FINDINGS = 1_000;

/** An address that stands in more than one place. */
export interface SharedIp {
  readonly ip: string;
  readonly places: readonly IpPlace[];
}

export type RoutingQuestions = ReturnType<typeof createRoutingQuestions>;

function zoneOf(document: RoutingDocument): string | undefined {
  const location = document.fields['location'];
  const zone = isJsonObject(location) ? location['zone'] : undefined;
  return typeof zone === 'string' ? zone : undefined;
}

/** Those of the own zone before the others; otherwise the order stays. */
function ownZoneFirst<T extends { readonly zone?: string }>(
  items: readonly T[],
  zone: string | undefined,
): readonly T[] {
  const own = items.filter((item) => item.zone === zone);
  return [...own, ...items.filter((item) => item.zone !== zone)];
}

function member(value: unknown, name: string): unknown {
  return isJsonObject(value) && Object.hasOwn(value, name) ? value[name] : undefined;
}

/** By a text of each; rows that share a key come from the store in no order of their own. */
function sorted<T>(items: readonly T[], textsOf: (item: T) => readonly string[]): T[] {
  const keyed = items.map((item) => ({ item, key: JSON.stringify(textsOf(item)) }));
  keyed.sort((a, b) => Number(a.key > b.key) - Number(a.key < b.key));
  return keyed.map(({ item }) => item);
}

function sortedPlaces(places: readonly IpPlace[]): IpPlace[] {
  return sorted(places, ({ role, id, zone = '' }) => [role, id, zone]);
}

/** The first findings, and whether there are more. */
function cut<T>(findings: readonly T[]): { readonly shown: readonly T[]; readonly isCut: boolean } {
  return { shown: findings.slice(0, MAX_FINDINGS), isCut: findings.length > MAX_FINDINGS };
}

/** Answers what call routing asks of the routing documents. */
export function createRoutingQuestions(deps: {
  readonly store: QuestionStore;
  /** A routing document; `not_found` when there is none. */
  readonly get: (kind: RoutingKind, id: string) => Promise<RoutingDocument>;
}) {
  const { store, get } = deps;

  async function listDangling(): Promise<Reference[]> {
    const sbcs = await store.listIds('carrier_sbc');
    const mediaServers = await store.listIds('media_server');
    const dangling: Reference[] = [];
    for await (const reference of store.eachReference()) {
      const ids = reference.target.kind === 'carrier_sbc' ? sbcs : mediaServers;
      if (!ids.has(reference.target.id)) dangling.push(reference);
    }
    return sorted(dangling, ({ name, id, field, target }) => [name, id, field, target.id]);
  }

  /** The rows come by address, so those of one address follow each other. */
  async function listShared(): Promise<SharedIp[]> {
    const shared: SharedIp[] = [];
    let current: { ip: string; places: IpPlace[] } | undefined;
    for await (const { ip, place } of store.eachPlace()) {
      if (current?.ip === ip) {
        current.places.push(place);
        if (current.places.length === 2) shared.push(current);
      } else {
        current = { ip, places: [place] };
      }
    }
    return shared.map(({ ip, places }) => ({ ip, places: sortedPlaces(places) }));
  }

  return {
    /** Who has a source address. */
    findPlaces: async (ip: IpAddress): Promise<readonly IpPlace[]> =>
      sortedPlaces(await store.findPlaces(ip)),

    /** Where calls to a cluster go from a zone: its own gateways before those of other zones. */
    async listGateways(
      clusterId: string,
      zone: string,
    ): Promise<{ cluster: RoutingDocument; isRandom: boolean; gateways: readonly Gateway[] }> {
      const cluster = await get('customer_cluster', clusterId);
      const gateways = ownZoneFirst(await store.listGateways(clusterId), zone);
      return { cluster, isRandom: cluster.fields['randomize_routing'] === true, gateways };
    },

    /**
     * Which SBCs a media server tries for a carrier: its own order, or without one all SBCs of the
     * carrier, those of its zone first. An id that names no SBC is left out and told.
     */
    async listSbcs(
      mediaServerId: string,
      carrier: string,
    ): Promise<{
      media: RoutingDocument;
      zone: string | undefined;
      isByPriority: boolean;
      interfaceName: string | undefined;
      sbcs: readonly SbcTarget[];
      unresolved: readonly string[];
    }> {
      const media = await get('media_server', mediaServerId);
      const zone = zoneOf(media);
      const mpls = member(member(media.fields['interfaces'], 'carrier_mpls'), carrier);
      const interfaceName = typeof mpls === 'string' ? mpls : undefined;
      const isByPriority = member(media.fields['carrier_sbc_priority'], carrier) !== undefined;
      const shared = { media, zone, isByPriority, interfaceName };
      if (!isByPriority) {
        const sbcs = ownZoneFirst(await store.listSbcs(carrier), zone);
        return { ...shared, sbcs, unresolved: [] };
      }
      const order = await store.listPriority(mediaServerId, carrier);
      const unresolved = order.filter(({ sbc }) => sbc === undefined).map(({ id }) => id);
      return { ...shared, sbcs: order.flatMap(({ sbc }) => sbc ?? []), unresolved };
    },

    /** What an SBC makes of a number in a direction. */
    async format(sbcId: string, direction: string, number: string) {
      const sbc = await get('carrier_sbc', sbcId);
      const rule = member(member(sbc.fields['number_formatting'], direction), 'to_number');
      const pattern = member(rule, 'pattern');
      const replace = member(rule, 'replace');
      if (typeof pattern !== 'string' || typeof replace !== 'string') {
        const formatted: FormattedNumber = { number, isMatched: false };
        return { sbc, rule: undefined, formatted };
      }
      const formatted = formatNumber({ pattern, replace }, number);
      return { sbc, rule: { pattern, replace }, formatted };
    },

    /** What does not fit together. */
    async report(): Promise<{
      dangling: readonly Reference[];
      shared: readonly SharedIp[];
      isCut: boolean;
    }> {
      const dangling = cut(await listDangling());
      const shared = cut(await listShared());
      const isCut = dangling.isCut || shared.isCut;
      return { dangling: dangling.shown, shared: shared.shown, isCut };
    },
  };
}
