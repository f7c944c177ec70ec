import { z } from 'zod';
import { AppError } from '../../core/errors.js';
import { type Command, command } from '../../surfaces/platform-api/command.js';
import type { Sessions } from './platform-accounts.sessions.js';

/** Signing in to Voximplant's Management API. */
export function platformCommands({ sessions }: { sessions: Sessions }): readonly Command[] {
  return [
    command({
      name: 'Logon',
      tag: 'Platform: sign-in',
      summary: 'Get a session id, which stands for the key or password it was got with',
      params: z.object({}),
      answer: z.object({
        result: z.string().meta({ description: 'The session id' }),
        account_id: z.int(),
      }),
      async run({ caller }) {
        if (caller.by === 'session_id') {
          throw new AppError('forbidden', 'a session opens no other; use the key or the password');
        }
        return { result: sessions.open(caller), account_id: caller.platformId };
      },
    }),
  ];
}
