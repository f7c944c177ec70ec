/** A resource that accounts hold; asked when an account is deleted. Wired in `app.ts`. */
export interface AccountParticipant {
  readonly name: string;
  /** What forbids the deletion, in words: `2 subscriptions`; empty when nothing does. */
  listHolds(accountId: string): Promise<readonly string[]>;
  /** Gives back what the account holds; safe to repeat. */
  release(accountId: string): Promise<void>;
}
