import { randomBytes } from 'node:crypto';
import type { Call } from './command.js';

const PASSWORD_BYTES = 18;

/** A password of so many random bytes, in letters, digits, - and _. */
export function makePassword(bytes = PASSWORD_BYTES): string {
  return randomBytes(bytes).toString('base64url');
}

/** The new password and, when it was made here and nobody knows it, that it has to be shown. */
export async function newPassword(call: Call): Promise<{ password: string; isMade: boolean }> {
  const { password, 'password-stdin': isAsked } = call.options;
  if (password !== undefined && password !== '-') return { password, isMade: false };
  if (password === '-' || isAsked) {
    return { password: await call.input.readSecret('new password'), isMade: false };
  }
  return { password: makePassword(), isMade: true };
}
