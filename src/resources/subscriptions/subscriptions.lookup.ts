import type { CarrierLine, Carriers } from '../../core/carrier.js';
import { parseDeviceId } from '../../core/device-id.js';
import { AppError } from '../../core/errors.js';
import { parseMdn } from '../../core/mdn.js';
import type { Page, PageRequest } from '../../core/paging.js';
import type { JoinedDevice, MobileDevice } from './devices.doc.js';
import { isHeldBy, noSubscription, type PathHolder } from './subscriptions.base.js';
import type { Identifiers } from './subscriptions.claims.js';
import type { Holder, Subscription } from './subscriptions.doc.js';
import {
  checkAnswer,
  identifiersOf,
  type LineNames,
  noSuchLine,
  queryOf,
  readNames,
} from './subscriptions.query.js';
import type { IdentifierKind, LineStore } from './subscriptions.store.js';

/** A line as its carrier tells it now. */
export interface AskedLine {
  readonly carrierName: string;
  readonly line: CarrierLine;
  /** Those of the line, canonical. */
  readonly identifiers: Identifiers;
}

/** The same, and the subscription that somebody has for it. */
export interface LookedUpLine extends AskedLine {
  readonly subscription: Subscription | undefined;
}

/** Which of a line's identifiers is looked for first. */
const ORDER: readonly IdentifierKind[] = ['mdn', 'sim', 'esn'];

export type LineLookup = ReturnType<typeof createLineLookup>;

/** Everything that is read of lines and devices: at their carriers, and here. */
export function createLineLookup(deps: {
  readonly store: LineStore;
  readonly carriers: Pick<Carriers, 'find'>;
}) {
  const { store, carriers } = deps;

  /**
   * The line at its carrier; nothing is read here but the MVNO. `not_found` names the identifier
   * that the carrier was asked for; another identifier that the carrier contradicts is `invalid`.
   */
  async function ask(clusterId: string, names: LineNames, carrier?: string): Promise<AskedLine> {
    const named = readNames(names);
    const { kind, query } = queryOf(named);
    const found = await carriers.find(clusterId, carrier);
    const line = await found.lookup(query);
    if (line === undefined) throw noSuchLine(kind, named);
    const identifiers = identifiersOf(line);
    checkAnswer(named, kind, identifiers);
    return { carrierName: found.name, line, identifiers };
  }

  /** Whoever has one of these identifiers, the first that somebody has. */
  async function findHeld(
    ...all: readonly Partial<Identifiers>[]
  ): Promise<Subscription | undefined> {
    for (const identifiers of all) {
      for (const kind of ORDER) {
        const value = identifiers[kind];
        if (value == null) continue;
        const found = (await store.findBy(kind, [value])).get(value);
        if (found !== undefined) return found;
      }
    }
    return undefined;
  }

  async function join(devices: readonly MobileDevice[]): Promise<readonly JoinedDevice[]> {
    const lines = await store.findNaming(devices);
    return devices.map((device) => ({ device, subscription: lines.get(device.id) }));
  }

  async function findById(id: string | null | undefined): Promise<JoinedDevice | undefined> {
    const device = id == null ? undefined : await store.findDevice(id);
    return device === undefined ? undefined : (await join([device]))[0];
  }

  async function findByMdn(mdn: string | undefined): Promise<JoinedDevice | undefined> {
    if (mdn === undefined) return undefined;
    const line = (await store.findBy('mdn', [mdn])).get(mdn);
    return findById(line?.esn);
  }

  return {
    ask,

    /** {@link ask}, and whether somebody has the line, in any account of any cluster. */
    async lookUp(clusterId: string, names: LineNames, carrier?: string): Promise<LookedUpLine> {
      const asked = await ask(clusterId, names, carrier);
      // What support has patched here may differ from what the carrier says of the same line.
      return { ...asked, subscription: await findHeld(readNames(names), asked.identifiers) };
    },

    /** A subscription of whatever account. */
    async getAnyLine(id: string): Promise<Subscription> {
      const line = await store.find(id);
      if (line === undefined) throw noSubscription(id);
      return line;
    },

    /** Whoever has one of these identifiers, which are canonical. */
    findLine: (named: Partial<Identifiers>): Promise<Subscription | undefined> => findHeld(named),

    /** A device of whatever account, by its canonical id; undefined when there is none. */
    findDevice: (id: string | null): Promise<JoinedDevice | undefined> => findById(id),

    /** The device of a number, whoever has it; `not_found` when no line has it or one without. */
    async getDeviceByMdn(mdn: string): Promise<JoinedDevice & { subscription: Subscription }> {
      const found = await findByMdn(mdn);
      if (found?.subscription === undefined) throw noDevice(mdn);
      return { device: found.device, subscription: found.subscription };
    },

    async getLine(path: PathHolder, id: string): Promise<Subscription> {
      const line = await store.find(id);
      if (line === undefined || !isHeldBy(path, line)) throw noSubscription(id);
      return line;
    },

    /**
     * Lines of an account by their numbers. A page has fewer than it was asked for where another
     * cluster has an account of the same id.
     */
    async listLines(path: PathHolder, request: PageRequest): Promise<Page<Subscription>> {
      const { rows, next } = await store.listPage(path.accountId, request);
      return { rows: rows.filter((line) => isHeldBy(path, line)), next };
    },

    /** By any spelling of its id or its number; 11 digits may be either, and an id goes first. */
    async getDevice(path: PathHolder, text: string): Promise<JoinedDevice> {
      const byId = await findById(parseDeviceId(text, { strict: true })?.id);
      const found = byId ?? (await findByMdn(parseMdn(text)));
      if (found === undefined || !isHeldBy(path, holderOf(found))) throw noDevice(text);
      return found;
    },

    /** Devices of an account's lines, and those of its own that are detached. */
    async listDevices(path: PathHolder, request: PageRequest): Promise<Page<JoinedDevice>> {
      const { rows, next } = await store.listDevicePage(path.accountId, request);
      const found = await store.findDevices([...new Set(rows)]);
      const joined = await join([...found.values()]);
      return { rows: joined.filter((each) => isHeldBy(path, holderOf(each))), next };
    },
  };
}

/** A device is its line's, and its own when it has none; without both it is just being made. */
export function holderOf({ device, subscription }: JoinedDevice): Holder | undefined {
  return subscription ?? device.ownHolder;
}

function noDevice(text: string): AppError {
  return new AppError('not_found', 'no such device', { subject: text });
}
