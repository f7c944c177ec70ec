import { type Claim, type Claims, releaseOrphanClaims } from '../../couch/claims.js';
import { databases } from '../../couch/databases.js';
import type { Port } from './ports.doc.js';
import { isFinished, type PortDirection } from './ports.status.js';
import type { PortStore } from './ports.store.js';

const OWNER_DATABASE = databases.ports;

/** What tells the one open port of a number in each direction. */
const KINDS = { in: 'port_in', out: 'port_out' } as const satisfies Record<PortDirection, string>;

/** Who has a number's open port. */
export interface PortKey {
  readonly id: string;
  readonly direction: PortDirection;
  readonly mdn: string;
}

export type PortClaims = ReturnType<typeof createPortClaims>;

/**
 * A number has one open port in each direction. Views lag, so that is held by a claim; which also
 * finds the port of a carrier's message at once.
 */
export function createPortClaims(deps: { store: PortStore; claims: Claims; now: () => number }) {
  const { store, claims } = deps;

  /** A finished port gave its number up, whether or not it came to releasing the claim. */
  async function isHeld(claim: Claim): Promise<boolean> {
    const port: Port | undefined = await store.find(claim.owner.id);
    return port !== undefined && port.mdn === claim.value && !isFinished(port.status);
  }

  return {
    /** `conflict` with reason `claimed` when the number has an open port of that direction. */
    async acquire({ id, direction, mdn }: PortKey): Promise<void> {
      const owner = { id, database: OWNER_DATABASE };
      await claims.acquire(KINDS[direction], mdn, owner, isHeld);
    },
    confirm: ({ id, direction, mdn }: PortKey) => claims.confirm(KINDS[direction], mdn, id),
    release: ({ id, direction, mdn }: PortKey) => claims.release(KINDS[direction], mdn, id),

    /** The id of the open port of a number, or of one that is just being made. */
    async findId(direction: PortDirection, mdn: string): Promise<string | undefined> {
      return (await claims.find(KINDS[direction], mdn))?.owner.id;
    },

    /** Releases what killed operations left; how many. */
    async releaseOrphans(): Promise<number> {
      const now = deps.now();
      const ins = await releaseOrphanClaims(claims, KINDS.in, isHeld, now);
      return ins + (await releaseOrphanClaims(claims, KINDS.out, isHeld, now));
    },
  };
}
