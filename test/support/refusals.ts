import type { SupportRig } from './support-rig.js';

/** What is wrong with a request: the rules that are broken, by dotted path. */
export type Faults = Readonly<Record<string, readonly string[]>>;

/**
 * Sends a request that is wrong: a 400 with just these faults, nothing written anywhere, and the
 * carrier not asked. The journal has to be empty before.
 */
export async function expectRefused(
  rig: SupportRig,
  [method, path, body]: readonly [method: string, path: string, body?: unknown],
  faults: Faults,
): Promise<void> {
  const before = await rig.revisions();
  const answer = await rig.ask(method, path, body);
  const data = Object.entries(answer.body.data as Record<string, Record<string, unknown>>);
  const found = Object.fromEntries(data.map(([place, rules]) => [place, Object.keys(rules)]));
  expect([answer.status, answer.body.message, found]).toEqual([400, 'validation error', faults]);
  expect(await rig.takeJournal()).toEqual([]);
  expect(await rig.revisions()).toEqual(before);
}
