import { backupMaintenance } from './backup-maintenance.js';
import { clustersMaintenance } from './clusters-maintenance.js';
import type { Module } from './command.js';
import { crossbarMaintenance } from './crossbar-maintenance.js';
import { kappsMaintenance } from './kapps-maintenance.js';
import { kazooIpsMaintenance } from './kazoo-ips-maintenance.js';
import { keysMaintenance } from './keys-maintenance.js';
import { mvnosMaintenance } from './mvnos-maintenance.js';
import { operatorMaintenance } from './operator-maintenance.js';
import { platformMaintenance } from './platform-maintenance.js';
import { portsMaintenance } from './ports-maintenance.js';
import { sipAccountsMaintenance } from './sip-accounts-maintenance.js';
import { topMaintenance } from './top-maintenance.js';
import { usageMaintenance } from './usage-maintenance.js';

/** Everything `sup` can do. */
export const modules: readonly Module[] = [
  backupMaintenance,
  clustersMaintenance,
  crossbarMaintenance,
  kappsMaintenance,
  kazooIpsMaintenance,
  keysMaintenance,
  mvnosMaintenance,
  operatorMaintenance,
  platformMaintenance,
  portsMaintenance,
  sipAccountsMaintenance,
  topMaintenance,
  usageMaintenance,
];
