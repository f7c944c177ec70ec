import { createCredentialHash } from './core/credential-hash.js';
import { createSecretBox, type Keyring } from './core/secret-box.js';

const API_KEY_DIGEST = 'account-api-key';

export type Secrets = ReturnType<typeof createSecrets>;

/** Everything that is done with the keyring; `allowDemo`: credentials of the demo data count. */
export function createSecrets(deps: { keyring: Keyring; allowDemo: boolean }) {
  const box = createSecretBox(deps.keyring);
  const hash = createCredentialHash(deps.keyring);
  const lookup = { allowDemo: deps.allowDemo };
  return {
    box,
    hash,
    apiKeyDigests: {
      digest: (apiKey: string) => box.digest(API_KEY_DIGEST, apiKey),
      digests: (apiKey: string) => box.digests(API_KEY_DIGEST, apiKey, lookup),
    },
    credentialHashes: {
      hash: (accountId: string, hex: string) => hash.hash(accountId, hex),
      hashes: (accountId: string, hex: string) => hash.hashes(accountId, hex, lookup),
    },
    /** What a seed's marks become; demo credentials are digested apart from real ones. */
    demo: {
      digest: (apiKey: string) => box.digest(API_KEY_DIGEST, apiKey, 'demo'),
      hash: (accountId: string, hex: string) => hash.hash(accountId, hex, 'demo'),
    },
  };
}
