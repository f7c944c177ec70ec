import { createHash } from 'node:crypto';
import type { PortMessage } from '../../core/carrier.js';
import { hasCode } from '../../core/errors.js';
import { toGregorian } from '../../core/gregorian.js';
import { parseMdn } from '../../core/mdn.js';
import { isOvertaken, type PortEffects, type PortLines } from './ports.apply.js';
import type { PortClaims } from './ports.claims.js';
import type { Port } from './ports.doc.js';
import {
  INITIAL_REQUEST,
  isFinished,
  isKnownCode,
  isReason,
  judgeMessage,
  listStatusFaults,
} from './ports.status.js';
import type { PortStore } from './ports.store.js';

/**
 * The carrier that a message comes from; it can speak of its own ports only. Which of our MVNOs is
 * asked does not matter: a carrier may have one queue for several, and lines move between them.
 */
export interface MessageSource {
  readonly name: string;
  readonly mvnoId: string;
  readonly clusterId: string;
}

/** What became of a message. Those with a reason are kept for people to look at. */
export type MessageOutcome =
  | { readonly kind: 'applied' | 'duplicates' | 'late' }
  | { readonly kind: 'unknown'; readonly reason: 'unknown_code' | 'unknown_port' }
  | {
      readonly kind: 'refused';
      readonly reason: 'bad_number' | 'bad_status' | 'bad_time' | 'mdn_held' | 'other_port';
    };

export interface MessageDeps {
  readonly store: PortStore;
  readonly claims: PortClaims;
  readonly lines: PortLines;
  readonly effects: PortEffects;
  /** Unix milliseconds. */
  readonly now: () => number;
}

export type PortMessages = ReturnType<typeof createPortMessages>;

const ATTEMPTS = 5;
/** A message from further ahead would keep every right one from its port. */
const FUTURE_MAX_S = 86_400;
const PORT_ID = /^[0-9a-f]{32}$/;

/**
 * Applies carriers' messages: as often as they come each of them has its effect once, in whatever
 * order, and none takes back what came after it.
 */
export function createPortMessages(deps: MessageDeps) {
  const { store, claims, lines, effects } = deps;

  function refusalOf(message: PortMessage): MessageOutcome | undefined {
    const { direction, code, source, extended } = message;
    if (!isKnownCode(direction, code)) return { kind: 'unknown', reason: 'unknown_code' };
    // Carriers say more than their page does, so what stands beside the code is taken as it is.
    const isRight =
      listStatusFaults(direction, { code, source }).length === 0 &&
      (extended === undefined || isReason(extended));
    if (!isRight) return { kind: 'refused', reason: 'bad_status' };
    const isAhead = message.timestamp > toGregorian(deps.now()) + FUTURE_MAX_S;
    return isAhead ? { kind: 'refused', reason: 'bad_time' } : undefined;
  }

  async function findPort(
    from: MessageSource,
    message: PortMessage,
    mdn: string,
  ): Promise<Port | undefined> {
    const { direction, portId } = message;
    const isMeant = (port: Port | undefined): port is Port =>
      port?.direction === direction && port.mdn === mdn && port.carrierName === from.name;
    const named =
      portId !== undefined && PORT_ID.test(portId) ? await store.find(portId) : undefined;
    if (isMeant(named)) return named;
    const openId = await claims.findId(direction, mdn);
    const open = openId === undefined ? undefined : await store.find(openId);
    if (isMeant(open)) return open;
    // None is open: the last one that was tells what is late from what is unknown.
    return (await store.listByMdn(mdn)).find(isMeant);
  }

  /** Another operator asks for a number: that begins a port, whoever has the number. */
  async function begin(from: MessageSource, message: PortMessage, mdn: string): Promise<Port> {
    const id = idFor(from, message);
    const found = await store.find(id);
    if (found !== undefined) return found;
    await claims.acquire({ id, direction: 'out', mdn });
    const holder = await lines.findByMdn(mdn);
    const line = holder?.carrierName === from.name ? holder : undefined;
    return store.create({
      id,
      direction: 'out',
      mdn,
      status: {
        code: message.code,
        extended: message.extended ?? INITIAL_REQUEST,
        source: message.source,
        timestamp: message.timestamp,
      },
      line: line && {
        subscriptionId: line.subscriptionId,
        accountId: line.accountId,
        deviceId: line.deviceId ?? undefined,
      },
      clusterId: line?.clusterId ?? from.clusterId,
      carrierName: from.name,
      mvnoId: line?.mvnoId ?? from.mvnoId,
      seenMessages: [message.id],
    });
  }

  async function isHeldByOther({ direction, mdn, line }: Port, code: string): Promise<boolean> {
    if (direction === 'out' || code !== 'completed') return false;
    const holder = await lines.findByMdn(mdn);
    return holder !== undefined && holder.subscriptionId !== line?.subscriptionId;
  }

  /** True when the number has an open port by way of another carrier, or a later one. */
  async function isOfOtherPort(error: unknown): Promise<boolean> {
    if (!hasCode(error, 'conflict') || error.reason !== 'claimed') return false;
    const owner = error.details?.['owner'];
    return typeof owner === 'string' && (await store.find(owner)) !== undefined;
  }

  async function settled(port: Port, kind: 'applied' | 'duplicates'): Promise<MessageOutcome> {
    const done = await effects.settle(port);
    return done.kind === 'settled' ? { kind } : { kind: 'refused', reason: 'mdn_held' };
  }

  async function applyOnce(
    from: MessageSource,
    message: PortMessage,
    mdn: string,
  ): Promise<MessageOutcome> {
    const port = await findPort(from, message, mdn);
    const isNewer =
      port === undefined ||
      (isFinished(port.status) &&
        message.timestamp > port.status.timestamp &&
        !port.seenMessages.includes(message.id));
    if (isNewer && isInitial(message)) {
      return settled(await begin(from, message, mdn), 'applied');
    }
    if (port === undefined) return { kind: 'unknown', reason: 'unknown_port' };
    const verdict = judgeMessage(port, message);
    if (verdict === 'late') return { kind: 'late' };
    if (verdict === 'duplicate') return settled(port, 'duplicates');
    const { code, extended, source, timestamp } = message;
    if (await isHeldByOther(port, code)) return { kind: 'refused', reason: 'mdn_held' };
    const saved = await store.saveStatus(port, {
      status: { code, extended, source, timestamp },
      messageId: message.id,
      hasEffects: isFinished(message),
    });
    return settled(saved, 'applied');
  }

  return {
    /** Applies a message; what the store or another write keeps from it is thrown. */
    async apply(from: MessageSource, message: PortMessage): Promise<MessageOutcome> {
      const refusal = refusalOf(message);
      if (refusal !== undefined) return refusal;
      const mdn = parseMdn(message.mdn);
      if (mdn === undefined) return { kind: 'refused', reason: 'bad_number' };
      for (let attempt = 1; ; attempt++) {
        try {
          return await applyOnce(from, message, mdn);
        } catch (error) {
          // All messages behind it would wait until that other port has ended.
          if (await isOfOtherPort(error)) return { kind: 'refused', reason: 'other_port' };
          if (!isOvertaken(error) || attempt === ATTEMPTS) throw error;
        }
      }
    },
  };
}

function isInitial({ direction, code, extended }: PortMessage): boolean {
  const isRequest = direction === 'out' && code === 'submitted';
  return isRequest && (extended === undefined || extended === INITIAL_REQUEST);
}

/** The same for every delivery of the message, so that it begins one port. */
function idFor({ name }: MessageSource, { id }: PortMessage): string {
  const text = JSON.stringify([name, id]);
  return createHash('sha256').update(text).digest('hex').slice(0, 32);
}
