import { type AppError, hasCode } from '../../core/errors.js';
import type { PortClaims } from './ports.claims.js';
import type { Port } from './ports.doc.js';
import { isFinished } from './ports.status.js';
import type { PortStore } from './ports.store.js';

/** A line of ours, as far as ports are concerned. */
export interface PortSubscription {
  readonly subscriptionId: string;
  readonly accountId: string;
  readonly clusterId: string;
  readonly carrierName: string;
  readonly mvnoId: string;
  readonly mdn?: string | null | undefined;
  readonly deviceId?: string | null | undefined;
}

/**
 * What ports do to lines. Every change may be made again without harm. `not_found` when the line
 * is gone; whatever fails has changed nothing.
 */
export interface PortLines {
  find(subscriptionId: string): Promise<PortSubscription | undefined>;
  findByMdn(mdn: string): Promise<PortSubscription | undefined>;
  /** The line shows that a port of it is open; `conflict` when another one is. */
  markPort(subscriptionId: string, portId: string): Promise<unknown>;
  /** The line gets the number and loses the mark; `conflict` when another line has the number. */
  completePort(port: {
    readonly subscriptionId: string;
    readonly portId: string;
    readonly mdn: string;
  }): Promise<unknown>;
  /** The line keeps its number and loses the mark. */
  cancelPort(port: { readonly subscriptionId: string; readonly portId: string }): Promise<unknown>;
}

/** What became of a port whose status was to have its effects. */
export type Settled =
  | { readonly kind: 'settled'; readonly port: Port }
  /** Another line has the number, so the port is as it was before it was completed. */
  | { readonly kind: 'withdrawn'; readonly port: Port; readonly cause: AppError }
  /** The line had another port when this one began, so this one is gone again. */
  | { readonly kind: 'dropped'; readonly port: Port; readonly cause: AppError };

export interface EffectDeps {
  readonly store: PortStore;
  readonly claims: PortClaims;
  readonly lines: PortLines;
  /** Told about ports whose line is gone: there is nothing to be done to it. */
  readonly onLineGone: (port: Port) => void;
}

export type PortEffects = ReturnType<typeof createPortEffects>;

const ATTEMPTS = 5;

/**
 * What a status means for the line and for the number's claim. It is done after the status is
 * written, as often as it takes: the port says that it is pending until it is done.
 */
export function createPortEffects(deps: EffectDeps) {
  const { store, claims, lines } = deps;

  /** A number that leaves stays with its line, which the carrier ends by itself. */
  async function tellLine(port: Port): Promise<void> {
    if (port.direction === 'out' || port.line === undefined) return;
    const { subscriptionId } = port.line;
    const portId = port.id;
    try {
      if (port.status.code === 'completed') {
        await lines.completePort({ subscriptionId, portId, mdn: port.mdn });
      } else if (port.status.code === 'canceled') {
        await lines.cancelPort({ subscriptionId, portId });
      } else {
        await lines.markPort(subscriptionId, portId);
      }
    } catch (error) {
      if (!hasCode(error, 'not_found')) throw error;
      deps.onLineGone(port);
    }
  }

  async function tellClaim(port: Port): Promise<void> {
    if (isFinished(port.status)) {
      await claims.release(port);
      return;
    }
    await claims.acquire(port);
    await claims.confirm(port);
  }

  /** Another process may be settling the same port: then it is read again. */
  async function settle(port: Port): Promise<Settled> {
    let current = port;
    for (let attempt = 1; ; attempt++) {
      if (!current.isPending) return { kind: 'settled', port: current };
      try {
        return await settleOnce(current);
      } catch (error) {
        if (!isOvertaken(error) || attempt === ATTEMPTS) throw error;
        current = (await store.find(port.id)) ?? current;
      }
    }
  }

  async function settleOnce(port: Port): Promise<Settled> {
    try {
      await tellLine(port);
    } catch (error) {
      if (!hasCode(error, 'conflict') || isOvertaken(error)) throw error;
      return takeBack(port, error);
    }
    await tellClaim(port);
    return { kind: 'settled', port: await store.saveSettled(port) };
  }

  /** The line refuses what the status means for it. */
  async function takeBack(port: Port, cause: AppError): Promise<Settled> {
    const before = await store.withdrawStatus(port);
    if (before === undefined) {
      await store.remove(port);
      await claims.release(port);
      return { kind: 'dropped', port, cause };
    }
    const { port: settled } = await settle(before);
    return { kind: 'withdrawn', port: settled, cause };
  }

  return { settle };
}

/** True for a write that another one was faster than: it can be done again on what is there now. */
export function isOvertaken(error: unknown): error is AppError {
  return hasCode(error, 'conflict') && error.reason === 'conflict';
}
