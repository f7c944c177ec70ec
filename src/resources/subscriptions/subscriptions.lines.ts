import { AppError, hasCode } from '../../core/errors.js';
import { type LineBase, noSubscription } from './subscriptions.base.js';
import type { ChangeLine } from './subscriptions.change.js';
import { numberConflict } from './subscriptions.claims.js';
import type { Subscription } from './subscriptions.doc.js';

/** What other resources know of a line. */
export interface KnownLine {
  readonly subscriptionId: string;
  readonly accountId: string;
  readonly clusterId: string;
  readonly carrierName: string;
  readonly mvnoId: string;
  readonly mdn: string | null;
  readonly esn: string | null;
  /** As `esn`: a device is named by it. */
  readonly deviceId: string | null;
}

export type Lines = ReturnType<typeof createLines>;

/** The lines as usage, ports and clusters see them; always what is stored now. */
export function createLines(base: LineBase, changeLine: ChangeLine) {
  const { store } = base;

  /** Changes what a port has to do with a line; all of it may be asked again after a crash. */
  async function changePort(
    subscriptionId: string,
    portId: string,
    isEnded: boolean,
    mdn?: string,
  ): Promise<KnownLine> {
    const load = async () => {
      const line = await store.find(subscriptionId);
      if (line === undefined) throw noSubscription(subscriptionId);
      return line;
    };
    const line = await changeLine(load, async (current) => {
      // A port that has ended has had its effect, whatever the line's number is by now.
      if (current.endedPortIds.includes(portId)) return undefined;
      if (!isEnded && current.portId === portId) return undefined;
      if (!isEnded && current.portId !== undefined) throw hasOtherPort(current);
      const fields = mdn === undefined ? {} : { fields: { ...current.fields, mdn } };
      return { change: { ...fields, port: { id: portId, isEnded } } };
    });
    return known(line);
  }

  return {
    /** The line that has a number, E.164. */
    async findByMdn(mdn: string): Promise<KnownLine | undefined> {
      const line = (await store.findBy('mdn', [mdn])).get(mdn);
      return line === undefined ? undefined : known(line);
    },

    async find(subscriptionId: string): Promise<KnownLine | undefined> {
      const line = await store.find(subscriptionId);
      return line === undefined ? undefined : known(line);
    },

    /** The accounts that have these numbers, by number; numbers of nobody are left out. */
    async findAccounts(mdns: readonly string[]): Promise<Map<string, string>> {
      const found = await store.findBy('mdn', mdns);
      return new Map([...found].map(([mdn, { accountId }]) => [mdn, accountId]));
    },

    countByAccount: store.countByAccount,
    countByCluster: store.countByCluster,

    /** A port of the line is open; `conflict` when another one is. */
    markPort: (subscriptionId: string, portId: string): Promise<KnownLine> =>
      changePort(subscriptionId, portId, false),

    /**
     * The number is the line's from now on. `conflict` when another line has it, and then nothing
     * has changed.
     */
    async completePort(port: { subscriptionId: string; portId: string; mdn: string }) {
      try {
        return await changePort(port.subscriptionId, port.portId, true, port.mdn);
      } catch (error) {
        // The master of one cluster need not know which line of another one has the number.
        if (hasCode(error, 'conflict') && 'data' in (error.details ?? {})) {
          throw numberConflict(port.mdn);
        }
        throw error;
      }
    },

    /** The line keeps the number that it has. */
    cancelPort(port: { subscriptionId: string; portId: string }): Promise<KnownLine> {
      return changePort(port.subscriptionId, port.portId, true);
    },
  };
}

function hasOtherPort({ id, portId }: Subscription): AppError {
  return new AppError('conflict', 'another number is being ported to the line', {
    subject: id,
    reason: 'line_has_port',
    details: { port_id: portId },
  });
}

function known(line: Subscription): KnownLine {
  const { id, accountId, clusterId, carrierName, mvnoId, mdn, esn } = line;
  return { subscriptionId: id, accountId, clusterId, carrierName, mvnoId, mdn, esn, deviceId: esn };
}
