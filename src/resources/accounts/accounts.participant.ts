import { AppError } from '../../core/errors.js';

/** A resource that accounts hold; asked when an account is deleted. Wired in `app.ts`. */
export interface AccountParticipant {
  readonly name: string;
  /** What forbids the deletion, in words: `2 subscriptions`; empty when nothing does. */
  listHolds(accountId: string): Promise<readonly string[]>;
  /** Gives back what the account holds; safe to repeat. */
  release(accountId: string): Promise<void>;
}

/** Refuses to delete an account that holds something, naming all of it: `conflict`. */
export async function refuseHolds(
  participants: readonly AccountParticipant[],
  accountId: string,
): Promise<void> {
  const held = await Promise.all(participants.map((each) => each.listHolds(accountId)));
  const holds = held.flat();
  if (holds.length === 0) return;
  throw new AppError('conflict', `account holds ${holds.join(', ')}`, {
    reason: 'account_in_use',
    details: { holds },
  });
}
