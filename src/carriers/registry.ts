import type { CarrierDriver, CarrierSettings, DriverDeps, DriverFactory } from './driver.js';
import { notConfigured } from './errors.js';
import { createHttpDriver, createSandboxDriver } from './http-driver.js';

/** Every driver by the word that `carriers.<name>.driver` of an MVNO's document has for it. */
const DRIVERS: Readonly<Record<string, DriverFactory>> = {
  http: createHttpDriver,
  sandbox: createSandboxDriver,
};

/** The driver that a carrier's settings name; `bad_gateway` when there is none of that name. */
export function createDriver(carrier: CarrierSettings, deps: DriverDeps): CarrierDriver {
  const word = carrier.settings['driver'];
  const factory =
    typeof word === 'string' && Object.hasOwn(DRIVERS, word) ? DRIVERS[word] : undefined;
  if (factory === undefined) {
    throw notConfigured(carrier.name, `driver is none of ${Object.keys(DRIVERS).join(', ')}`);
  }
  return factory(carrier, deps);
}
