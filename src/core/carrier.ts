/**
 * A mobile carrier as the services see it, whatever it speaks (docs/carriers.md). Types only: the
 * drivers are in `src/carriers`, and what a service gets is wired in the composition root.
 *
 * Every call may fail with an `AppError`, and then nothing has been learnt:
 * `bad_gateway` with reason `carrier_rejected`, `carrier_auth` or `carrier_bad_answer`,
 * `gateway_timeout` with reason `carrier_timeout`, `unavailable` with reason `carrier_unavailable`
 * (and `retryAfterS` where the carrier said so). Calls end by the deadline of the running
 * operation, and by the carrier's own time limit where that is sooner.
 */

/** One identifier of a line, normalised. A line is asked for by exactly one. */
export type LineQuery =
  | { readonly mdn: string; readonly esn?: never; readonly sim?: never }
  | { readonly esn: string; readonly mdn?: never; readonly sim?: never }
  | { readonly sim: string; readonly mdn?: never; readonly esn?: never };

/** A line as the carrier tells it; identifiers are in the carrier's spelling, or null. */
export interface CarrierLine {
  readonly mdn: string | null;
  /** ESN, MEID or IMEI in any of their forms; null: the line is tied to no device. */
  readonly esn: string | null;
  readonly sim: string | null;
  readonly imsi: string | null;
  readonly plan: string | null;
  readonly features: readonly string[];
  /** What only this carrier has, e.g. `{ msid, csa }`; documented as `carrier_data`. */
  readonly carrierData: Readonly<Record<string, string>>;
  /** Gregorian seconds. */
  readonly activationDate: number | null;
  readonly suspended: boolean;
}

export interface EquipmentModel {
  readonly name: string;
  readonly number: string;
  readonly manufacturer: string;
}

export interface CarrierEquipment {
  readonly model: EquipmentModel;
  /** Master Subsidy Lock: a secret of the handset, digits. */
  readonly msl?: string;
}

/** News of a port. They come late, twice and out of order; `timestamp` tells what came first. */
export interface PortMessage {
  /** The same however often the message is delivered. */
  readonly id: string;
  readonly direction: 'in' | 'out';
  /** The port request's id at the carrier, or ours where we named one; not every carrier has it. */
  readonly portId?: string;
  /** The number that is ported, in the carrier's spelling. */
  readonly mdn: string;
  /** The status, e.g. `scheduled`. Carriers have more words than are known here. */
  readonly code: string;
  /** The reason or the kind of the status, e.g. `sp_network_issue`. */
  readonly extended?: string;
  /** Who brought the status about: `carrier` or `top`. */
  readonly source: string;
  /** When it happened at the carrier, Gregorian seconds. */
  readonly timestamp: number;
}

export interface PortMessages {
  /** Empty: there is nothing more for now. At most `limit`, duplicates counted. */
  readonly messages: readonly PortMessage[];
  /** What to give as `after` next time; undefined only while there has never been a message. */
  readonly cursor: string | undefined;
}

export interface UsageFile {
  /** Names the file at its carrier for ever; its content may grow until the month is closed. */
  readonly name: string;
  /** Bytes as stored, where the carrier says so. */
  readonly size?: number;
}

export interface UsageFiles {
  /** Empty: there is nothing more for now. A page of them at a time. */
  readonly files: readonly UsageFile[];
  /** What to give as `after` next time. A file that has grown is listed again behind it. */
  readonly cursor: string | undefined;
}

/** One carrier of one MVNO. */
export interface Carrier {
  readonly name: string;
  readonly mvnoId: string;
  readonly clusterId: string;
  /** The line, live; undefined: the carrier says there is no such line. */
  lookup(query: LineQuery): Promise<CarrierLine | undefined>;
  /** The make of a device; undefined: the carrier does not know it. */
  equipment(esn: string): Promise<CarrierEquipment | undefined>;
  /** The messages behind a cursor that were not acknowledged, `limit` 1 to 500. */
  fetchPortMessages(after: string | undefined, limit: number): Promise<PortMessages>;
  /**
   * Tells the carrier that the messages are dealt with for good. Never retried in itself; telling
   * it again, or ids it does not know, does no harm.
   */
  ackPortMessages(ids: readonly string[]): Promise<void>;
  listUsageFiles(after: string | undefined): Promise<UsageFiles>;
  /**
   * The bytes of a usage file (CSV, docs/carriers.md), unpacked. Fails in the middle when the
   * transfer breaks or the file is over the size limit, so nothing is done before its end. The
   * deadline counts for the wait between two pieces and not for the whole. `not_found` with reason
   * `usage_file_not_found` when the carrier has the file no more.
   */
  openUsageFile(name: string): AsyncIterable<Buffer>;
  /** Resolves when the carrier answers and takes our credentials. */
  health(): Promise<void>;
}

export interface Carriers {
  /**
   * The carrier of a cluster's MVNO. With one carrier the name does not matter; with several an
   * unknown or missing name is an `InvalidError` at `['carrier']`, unless the MVNO has a
   * `default_carrier` for a missing one. `not_found` with reason `mvno_not_found` when the cluster
   * has no MVNO, `bad_gateway` with reason `carrier_not_configured` when that has no carrier.
   */
  find(clusterId: string, name?: string): Promise<Carrier>;
  /** The carriers of all MVNOs, in the order of MVNO and name; for polling. */
  list(): Promise<readonly Carrier[]>;
}
