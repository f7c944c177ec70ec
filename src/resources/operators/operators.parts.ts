import type { CredentialHash } from '../../core/credential-hash.js';
import type { Couch } from '../../couch/types.js';
import { createOperatorPasswords } from './operators.passwords.js';
import { createOperatorService } from './operators.service.js';
import { createOperatorSignIn } from './operators.sign-in.js';
import { createOperatorStore } from './operators.store.js';

/** Everything about operators. */
export function createOperatorParts(deps: {
  readonly couch: Couch;
  readonly hash: CredentialHash;
  readonly allowDemo: boolean;
  readonly accountExists: (accountId: string) => Promise<boolean>;
  /** Whether an account is there and enabled, known at most a second ago. */
  readonly mayAccountSignIn: (accountId: string) => Promise<boolean>;
  /** Unix milliseconds. */
  readonly now: () => number;
}) {
  const store = createOperatorStore(deps);
  const passwords = createOperatorPasswords(deps);
  const { mayAccountSignIn } = deps;
  const signIn = createOperatorSignIn({ find: store.find, passwords, mayAccountSignIn });
  const service = createOperatorService({ ...deps, store, passwords, onChange: signIn.forget });
  return { service, signIn, demoHash: passwords.demoHash };
}
