import type { CallerCluster } from '../../core/caller.js';
import type { Carrier, CarrierEquipment, CarrierLine } from '../../core/carrier.js';
import { AppError, InvalidError } from '../../core/errors.js';
import { isJsonObject } from '../../core/json.js';
import { isRepeat, newIdFor, runNoLonger } from '../../core/operation.js';
import { validate } from '../../core/validation.js';
import type { SavedDoc } from '../../couch/types.js';
import type { DeviceFields, MobileDevice } from './devices.doc.js';
import { deviceFields, usagePolicy } from './devices.schema.js';
import {
  attachDevice,
  attempt,
  finish,
  formerAccountOf,
  type LineBase,
  settleCopies,
  undo,
} from './subscriptions.base.js';
import type { Identifiers } from './subscriptions.claims.js';
import { newDoc, type Subscription, type SubscriptionFields } from './subscriptions.doc.js';
import {
  checkAnswer,
  identifiersOf,
  type LineNames,
  noSuchLine,
  queryOf,
  readNames,
} from './subscriptions.query.js';
import { type LineWork, type NotedWork, WORK_MAX_MS } from './subscriptions.unfinished.js';

export interface ImportInput {
  readonly accountId: string;
  readonly cluster: CallerCluster;
  readonly carrierName?: string | undefined;
  readonly query: LineNames;
  /** What no carrier knows of the device, validated. */
  readonly deviceData?: DeviceFields | undefined;
  /** True: a device is asked for, by `mdn` where there is one; a line without one is refused. */
  readonly needsDevice: boolean;
}

export interface ImportedLine {
  readonly subscription: Subscription;
  /** Undefined when the line is tied to no device. */
  readonly device: MobileDevice | undefined;
  /** The carrier's name. */
  readonly carrier: string;
}

/** What a carrier says of the line, checked. */
interface Found {
  readonly carrier: Carrier;
  readonly line: CarrierLine;
  readonly identifiers: Identifiers;
  readonly equipment: CarrierEquipment | undefined;
}

/** The note of what is done for the line, and its device once that is written. */
interface Made {
  readonly noted: NotedWork<LineWork>;
  readonly device: MobileDevice | undefined;
}

/** Both imports (top-support.md A2 1 and 14): one use case, the views of it differ. */
export function createImport(base: LineBase) {
  const { store, claims } = base;

  /** Asks the carrier; nothing is written when anything here fails. */
  async function look(input: ImportInput): Promise<Found> {
    const { query, needsDevice } = input;
    const isByNumber = needsDevice && query.mdn !== undefined;
    const named = readNames(isByNumber ? { mdn: query.mdn } : query);
    const asked = queryOf(named);
    const carrier = await base.carriers.find(input.cluster.id, input.carrierName);
    const line = await carrier.lookup(asked.query);
    if (line === undefined) throw noSuchLine(asked.kind, named);
    const identifiers = identifiersOf(line);
    checkAnswer(named, asked.kind, identifiers);
    const { esn } = identifiers;
    if (needsDevice && esn === null) {
      const message = 'The line is tied to no device';
      const details = { value: named[asked.kind] };
      throw new InvalidError([{ path: [asked.kind], rule: 'invalid', message, details }]);
    }
    const equipment = esn === null ? undefined : await carrier.equipment(esn);
    return { carrier, line, identifiers, equipment };
  }

  /** The account of the path; undefined for one of another cluster, of which nothing is known. */
  async function findAccount({ accountId, cluster }: ImportInput) {
    if (!cluster.isOwn) return undefined;
    const account = await base.findAccount(accountId);
    if (account === undefined) throw noSuchAccount(accountId);
    return account;
  }

  /** Who stood still until its claims were another's gives the line back: `conflict`. */
  async function keepClaims(line: Subscription, made?: Made): Promise<void> {
    const { id, accountId } = line;
    let lost: AppError | undefined;
    await attempt(base, accountId, 'confirm claims', async () => {
      lost = await claims.confirm(id, line);
    });
    if (lost === undefined) return;
    await store.remove(line);
    if (made !== undefined) await attempt(base, accountId, 'undo', () => finish(base, made.noted));
    throw lost;
  }

  /** The claims hold, the copies are made, and nothing is left to do. */
  async function complete(line: Subscription, made?: Made): Promise<ImportedLine> {
    const { id, accountId, esn } = line;
    await keepClaims(line, made);
    await settleCopies(base, [accountId, formerAccountOf(made?.noted)], [id, esn]);
    if (made !== undefined) {
      await attempt(base, accountId, 'end', () => base.unfinished.end(made.noted));
    }
    const device = made?.device ?? (esn === null ? undefined : await store.findDevice(esn));
    return { subscription: line, device, carrier: line.carrierName };
  }

  /**
   * Importing writes and then looks at the account; deleting the account writes and then looks for
   * subscriptions. Whoever is second sees the other, so that no line is left without its account.
   */
  async function keepInAccount(line: Subscription, input: ImportInput, made: Made) {
    const { accountId, cluster } = input;
    if (base.isDry || !cluster.isOwn) return;
    if ((await base.findAccount(accountId)) !== undefined) return;
    await store.remove(line);
    await attempt(base, accountId, 'undo', () => finish(base, made.noted));
    throw noSuchAccount(accountId);
  }

  async function write(id: string, input: ImportInput, found: Found, defaults: object) {
    const { accountId, cluster } = input;
    const { identifiers, carrier } = found;
    const deviceId = identifiers.esn;
    const makeFields = (before: SavedDoc | undefined) =>
      fieldsOf(found.equipment, input, defaults, before);
    // What is wrong with the device is said before anything is written.
    makeFields(undefined);
    await claims.check(id, identifiers);
    const begun = { kind: 'line', subscriptionId: id, claimed: identifiers } as const;
    let made: Made = { noted: await base.unfinished.note<LineWork>(begun), device: undefined };
    try {
      await claims.acquire(id, identifiers);
      if (deviceId !== null) made = await attachDevice(base, made.noted, deviceId, makeFields);
      const line = {
        id,
        accountId,
        clusterId: cluster.id,
        carrierName: carrier.name,
        mvnoId: carrier.mvnoId,
        fields: lineFields(found),
      };
      return { line: await store.save(newDoc(line, base.now())), made };
    } catch (error) {
      await undo(base, error, accountId, made.noted);
      throw error;
    }
  }

  return async (input: ImportInput): Promise<ImportedLine> => {
    const id = newIdFor('subscription');
    // An earlier run that was cut off may have come this far.
    const earlier = isRepeat() ? await store.find(id) : undefined;
    if (earlier !== undefined) return complete(earlier);
    const account = await findAccount(input);
    const found = await look(input);
    const defaults = defaultsOf(account?.fields);
    const { line, made } = await runNoLonger(WORK_MAX_MS, () => write(id, input, found, defaults));
    await keepInAccount(line, input, made);
    return complete(line, made);
  };
}

function noSuchAccount(accountId: string): AppError {
  return new AppError('not_found', 'no such account', { subject: accountId });
}

function lineFields({ line, identifiers }: Found): SubscriptionFields {
  const { activationDate } = line;
  return {
    esn: identifiers.esn,
    sim: identifiers.sim,
    mdn: identifiers.mdn,
    imsi: line.imsi,
    plan: line.plan,
    features: [...line.features],
    suspended: line.suspended,
    carrier_data: { ...line.carrierData },
    ...(activationDate === null ? {} : { activation_date: activationDate }),
  };
}

/**
 * The usage policy of an account's new devices (top-support.md B4): `device_defaults.data` of its
 * document. `data` of that document is for the sum over all devices and says nothing of one. A
 * policy that is none is left out: the account may have been written by others.
 */
export function defaultsOf(account: Readonly<Record<string, unknown>> | undefined): object {
  const defaults = account?.['device_defaults'];
  const data = isJsonObject(defaults) ? defaults['data'] : undefined;
  if (!isJsonObject(data)) return {};
  const { blocking, throttling } = data;
  const parts = [{ blocking }, { throttling }];
  return Object.assign({}, ...parts.map((part) => usagePolicy.safeParse(part).data ?? {}));
}

/**
 * The device of a new line. Of one that was detached its make stays, and in the same account its
 * name; its voice settings are its former user's and go (contract §2).
 */
function fieldsOf(
  equipment: CarrierEquipment | undefined,
  input: ImportInput,
  defaults: object,
  before: SavedDoc | undefined,
): DeviceFields {
  const { name, model, msl, additional_properties } = (before ?? {}) as DeviceFields;
  const isSameAccount = before?.['pvt_account_id'] === input.accountId;
  const { data, voice, ...given } = input.deviceData ?? {};
  const kept = { ...(isSameAccount ? { name, additional_properties } : {}), model, msl };
  const fields = {
    ...Object.fromEntries(Object.entries(kept).filter(([, value]) => value !== undefined)),
    ...given,
    ...equipment,
    voice: { protocol: 'sip', ...voice },
    data: { ...defaults, ...data },
  };
  return validate(deviceFields, fields) as DeviceFields;
}
