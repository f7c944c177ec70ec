import { AppError } from '../../core/errors.js';
import {
  formatNetwork,
  type IpNetwork,
  ipBytes,
  maskBytes,
  networkOfBytes,
} from '../../core/ip-address.js';
import { stamp } from '../../couch/doc.js';
import type { SavedDoc, StoredDoc } from '../../couch/types.js';

/** One network in one of the two lists of an account. */
export interface AuthorizedIp {
  readonly network: IpNetwork;
  /** True: in the white list; false: in the black one. */
  readonly isAllowed: boolean;
  readonly description: string | undefined;
  /** Gregorian seconds. */
  readonly created: number;
}

/** What the id of a document says. */
export interface EntryKey {
  readonly accountId: string;
  readonly network: IpNetwork;
  readonly isAllowed: boolean;
}

const AUTHORIZED_IP = 'authorized_ip';

const ID = /^([0-9a-f]{32}):(?:(4):([0-9a-f]{8})|(6):([0-9a-f]{32})):(\d{3}):([wb])$/;

/**
 * `<account>:<4|6>:<network hex>:<3-digit length>:<w|b>` (contract §2). The network is the id, so
 * that it is in a list once, and that what covers an address can be asked for by id.
 */
export function entryId({ accountId, network, isAllowed }: EntryKey): string {
  return idsOf(accountId, network.version, ipBytes(network.address), network.length)[
    isAllowed ? 0 : 1
  ];
}

/** The ids of a network in the white and in the black list. */
function idsOf(
  accountId: string,
  version: 4 | 6,
  bytes: Uint8Array,
  length: number,
): readonly [white: string, black: string] {
  const hex = Buffer.from(bytes).toString('hex');
  const id = `${entryPrefix(accountId)}${version}:${hex}:${String(length).padStart(3, '0')}`;
  return [`${id}:w`, `${id}:b`];
}

/** How the ids of an account's documents begin. */
export function entryPrefix(accountId: string): string {
  return `${accountId}:`;
}

/** What an id says; undefined for one that is no network in its canonical form. */
export function parseEntryId(id: string): EntryKey | undefined {
  const parts = ID.exec(id);
  if (parts === null) return undefined;
  const [, accountId = '', , hex4, , hex6, lengthDigits, list] = parts;
  const network = networkOfBytes(Buffer.from(hex4 ?? hex6 ?? '', 'hex'), Number(lengthDigits));
  return network === undefined ? undefined : { accountId, network, isAllowed: list === 'w' };
}

/** Ids of every network that covers all of this one, in both lists: at most 66, or 258. */
export function coveringIds(accountId: string, network: IpNetwork): readonly string[] {
  const bytes = ipBytes(network.address);
  return Array.from({ length: network.length + 1 }, (_, length) =>
    idsOf(accountId, network.version, maskBytes(bytes, length), length),
  ).flat();
}

/** The network around another one that fixes so many of its bits. */
export function widerNetwork(network: IpNetwork, length: number): IpNetwork {
  const wider = networkOfBytes(maskBytes(ipBytes(network.address), length), length);
  if (wider === undefined) throw new AppError('internal', 'a masked network is canonical');
  return wider;
}

/** The entry whose network is the narrowest; of one network in both lists the black one. */
export function narrowest(entries: readonly AuthorizedIp[]): AuthorizedIp | undefined {
  return entries.reduce<AuthorizedIp | undefined>((best, entry) => {
    const difference = entry.network.length - (best?.network.length ?? -1);
    return difference > 0 || (difference === 0 && !entry.isAllowed) ? entry : best;
  }, undefined);
}

/** Reads a stored entry; `internal` for a document that nobody should have written. */
export function fromDoc(raw: SavedDoc): AuthorizedIp {
  const key = parseEntryId(raw._id);
  const { pvt_type: type, pvt_created: created, description } = raw;
  if (key === undefined || type !== AUTHORIZED_IP || typeof created !== 'number') {
    throw new AppError('internal', `authorized_ips/${raw._id} is not an authorized IP`, {
      subject: raw._id,
    });
  }
  return {
    network: key.network,
    isAllowed: key.isAllowed,
    description: typeof description === 'string' && description !== '' ? description : undefined,
    created,
  };
}

/**
 * The document of an entry; public fields are for people who read the database. Of `before` stays
 * what is not known here.
 */
export function toDoc(
  key: EntryKey,
  description: string | undefined,
  before: SavedDoc | undefined,
  nowMs: number,
): StoredDoc {
  const { accountId } = key;
  const { description: _old, ...kept } = { description: undefined, ...before };
  return {
    ...kept,
    authorized_ip: formatNetwork(key.network),
    allowed: key.isAllowed,
    ...(description === undefined ? {} : { description }),
    ...stamp(before, { type: AUTHORIZED_IP, nowMs, accountId }),
    _id: entryId(key),
  };
}
