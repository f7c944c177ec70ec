import { z } from 'zod';

/** Members beside the data of an account that was changed. */
export const changeMembers = {
  warnings: z
    .array(z.string())
    .optional()
    .meta({ description: 'What the change does that may not be meant' }),
};

/** What an answer gets of them. */
export interface ChangeMembers {
  readonly members?: { readonly warnings: readonly string[] };
}

/** Whether an account's authorized IPs let an address in. */
export type Admits = (accountId: string, address: string) => Promise<boolean>;

/**
 * The members for an account that is told to enforce its authorized IPs: nobody is kept from
 * locking himself out, and nobody does it without being told. Asked before anything is written.
 */
export async function warnOfLockout(
  admits: Admits,
  accountId: string,
  asked: Readonly<Record<string, unknown>>,
  address: string,
): Promise<ChangeMembers> {
  // Kazoo's clients may send booleans as texts, which are read as what they say.
  const isOn = [true, 'true'].some((on) => on === asked['enforce_authorized_ips']);
  if (!isOn || (await admits(accountId, address))) return {};
  const warning =
    `the account's authorized IPs do not allow your address ${address}: calls of its ` +
    'Voximplant clients by key from there are refused from now on';
  return { members: { warnings: [warning] } };
}
