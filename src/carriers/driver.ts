import type { Dispatcher } from 'undici';
import type { Carrier } from '../core/carrier.js';

/** What a driver can do: everything a carrier is but its place in our documents. */
export type CarrierDriver = Omit<Carrier, 'name' | 'mvnoId' | 'clusterId'>;

/** What a driver gets to work with: one carrier of one MVNO. */
export interface CarrierSettings {
  /** For messages: which carrier it is among those of its MVNO. */
  readonly name: string;
  /** `carriers.<name>` of the MVNO's document, unchecked: the driver knows what it needs. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** Its key, which lies sealed in the document; undefined when there is none. */
  readonly openKey: () => string | undefined;
  /** How long one call may take with its retries, unless the settings say otherwise. */
  readonly timeoutMs: number;
}

/** Where a carrier that speaks HTTP is, and what it knows us by. */
export interface CarrierAddress {
  /** Without a slash at its end. */
  readonly url: string;
  readonly apiKey: string;
}

/** What the drivers of a process share. */
export interface DriverDeps {
  /** Connections to carriers; it never follows redirects. */
  readonly dispatcher: Dispatcher;
  /** Where the sandbox carrier of our data folder runs; undefined: it does not. */
  readonly findSandbox: () => Promise<CarrierAddress | undefined>;
}

/** Makes the driver of a carrier; throws `bad_gateway` when the settings do not make one. */
export type DriverFactory = (carrier: CarrierSettings, deps: DriverDeps) => CarrierDriver;
