import { rm } from 'node:fs/promises';

/** Stops the embedded store that the setup started and removes its folder. */
export default async function globalTeardown() {
  const started = globalThis.telcouchTestStore;
  if (started === undefined) return;
  await started.store.stop();
  await rm(started.dataDir, { recursive: true, force: true });
}
