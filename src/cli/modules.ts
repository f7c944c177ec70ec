import type { Module } from './command.js';
import { crossbarMaintenance } from './crossbar-maintenance.js';
import { kappsMaintenance } from './kapps-maintenance.js';
import { kazooIpsMaintenance } from './kazoo-ips-maintenance.js';

/** Everything `sup` can do. */
export const modules: readonly Module[] = [
  crossbarMaintenance,
  kappsMaintenance,
  kazooIpsMaintenance,
];
