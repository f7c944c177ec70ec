import { setTimeout as sleep } from 'node:timers/promises';
import { parseIp } from '../../src/core/ip-address.js';
import { createIpCopies } from '../../src/resources/ips/ips.copies.js';
import type { DedicatedIp } from '../../src/resources/ips/ips.doc.js';
import type { IpStore } from '../../src/resources/ips/ips.store.js';

const ACCOUNT = 'a'.repeat(32);
/** A write answered 202 looks for its rival for less than this (`src/couch/quorum.ts`). */
const GIVES_WAY_MS = 2_000;

function held(text: string): DedicatedIp {
  const ip = parseIp(text);
  if (ip === undefined) throw new Error('not an address');
  const stored = { _id: text, _rev: '2-a', pvt_type: 'dedicated_ip' };
  return {
    ip,
    zone: 'z',
    host: 'h',
    assignedTo: ACCOUNT,
    created: 0,
    modified: 0,
    version: '1',
    revision: '2-a',
    stored,
  };
}

test('an assignment is not compared with other nodes before they gave way to it', async () => {
  const startedAt = performance.now();
  const confirmedAt = new Map<string, number>();
  const store = {
    writeCopies: async (_account: string, docs: readonly { _id: string }[]) =>
      docs.map((doc) => ({ ok: true, doc: { ...doc, _rev: '1-a' } })),
    findReadable: async (ips: readonly string[]) => ({
      truths: new Map(ips.map((ip) => [ip, held(ip)])),
      unreadable: new Set(),
    }),
    confirm: async (truths: readonly DedicatedIp[]) => {
      for (const { ip } of truths) confirmedAt.set(ip, performance.now() - startedAt);
      return new Map(truths.map(({ ip, revision }) => [ip, revision]));
    },
  } as unknown as IpStore;
  const failures: unknown[] = [];
  const copies = createIpCopies({ store, onFailure: (error) => failures.push(error) });
  await copies.place(ACCOUNT, [held('192.0.2.1')]);
  await sleep(GIVES_WAY_MS);
  expect(confirmedAt.size).toBe(0);
  const laterAt = performance.now() - startedAt;
  await copies.place(ACCOUNT, [held('192.0.2.2')]);
  await sleep(3 * GIVES_WAY_MS);
  expect(confirmedAt.get('192.0.2.1')).toBeGreaterThan(GIVES_WAY_MS);
  expect(confirmedAt.get('192.0.2.2')).toBeGreaterThan(laterAt + GIVES_WAY_MS);
  expect(failures).toEqual([]);
  copies.stop();
}, 20_000);
