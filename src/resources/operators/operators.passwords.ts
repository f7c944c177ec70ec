import { createHash } from 'node:crypto';
import { isSameSecret } from '../../core/constant-time.js';
import type { CredentialHash } from '../../core/credential-hash.js';

export type OperatorPasswords = ReturnType<typeof createOperatorPasswords>;

/** What the hash of a user's password depends on beside the password. */
function saltOf(username: string): string {
  return `operator:${username}`;
}

function hexOf(password: string): string {
  return createHash('sha256').update(password).digest('hex');
}

/** Slow hashes of operators' passwords; those of the demo data are of a class of their own. */
export function createOperatorPasswords(deps: {
  readonly hash: CredentialHash;
  /** True: demo passwords count (decision 5). */
  readonly allowDemo: boolean;
}) {
  const { hash, allowDemo } = deps;
  return {
    hash: (username: string, password: string): Promise<string> =>
      hash.hash(saltOf(username), hexOf(password)),

    demoHash: (username: string, password: string): Promise<string> =>
      hash.hash(saltOf(username), hexOf(password), 'demo'),

    /** As much work when there is no such user, `digest` undefined, as when there is one. */
    async matches(username: string, password: string, digest: string | undefined) {
      const hashes = await hash.hashes(saltOf(username), hexOf(password), { allowDemo });
      return hashes.filter((each) => isSameSecret(each, digest)).length > 0;
    },
  };
}
