import { z } from 'zod';
import { AppError } from '../../core/errors.js';
import type { SecretBox } from '../../core/secret-box.js';

/** What a session stands for. */
export interface Session {
  readonly accountId: string;
  /** The key or password it was opened with; the session ends with it. */
  readonly stamp: string;
}

const PLACE = ['platform_session', 'session_id'] as const;

const payload = z.object({ accountId: z.string(), stamp: z.string(), expiresAt: z.number() });

export type Sessions = ReturnType<typeof createSessions>;

/**
 * Session ids of `Logon`. They are sealed texts that say all there is to know, so that every
 * process knows those of the others, and none outlives the keyring.
 */
export function createSessions(deps: {
  readonly box: SecretBox;
  readonly ttlS: number;
  /** Unix milliseconds. */
  readonly now: () => number;
}) {
  return {
    open({ accountId, stamp }: Session): string {
      const expiresAt = Math.floor(deps.now() / 1000) + deps.ttlS;
      return deps.box.seal(JSON.stringify({ accountId, stamp, expiresAt }), ...PLACE);
    },

    /** Undefined for a text that is none of ours; `unauthenticated` for one that is over. */
    read(sessionId: string): Session | undefined {
      let session: z.output<typeof payload>;
      try {
        session = payload.parse(JSON.parse(deps.box.open(sessionId, ...PLACE)));
      } catch {
        return undefined;
      }
      if (session.expiresAt > deps.now() / 1000) return session;
      throw new AppError('unauthenticated', 'the session is over', { reason: 'session_timeout' });
    },
  };
}
