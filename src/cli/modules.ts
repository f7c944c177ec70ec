import { backupMaintenance } from './backup-maintenance.js';
import type { Module } from './command.js';
import { crossbarMaintenance } from './crossbar-maintenance.js';
import { kappsMaintenance } from './kapps-maintenance.js';
import { kazooIpsMaintenance } from './kazoo-ips-maintenance.js';

/** Everything `sup` can do. */
export const modules: readonly Module[] = [
  backupMaintenance,
  crossbarMaintenance,
  kappsMaintenance,
  kazooIpsMaintenance,
];
