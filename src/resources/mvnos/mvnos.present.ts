import type { Mvno } from './mvnos.doc.js';

/** An MVNO as people see it; keys are shown as they are stored, sealed. */
export function presentMvno(mvno: Mvno) {
  const carriers = [...mvno.carriers].map(([name, { driver, settings, sealedKey }]) => {
    const key = sealedKey === undefined ? {} : { api_key: sealedKey };
    return [name, { ...settings, driver, ...key }] as const;
  });
  return {
    id: mvno.id,
    name: mvno.name,
    ...(mvno.clusterId === undefined ? {} : { cluster_id: mvno.clusterId }),
    ...(mvno.defaultCarrier === undefined ? {} : { default_carrier: mvno.defaultCarrier }),
    carriers: Object.fromEntries(carriers),
  };
}
