import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { newId } from './core/operation.js';
import { accountIdOf } from './couch/databases.js';
import { installAccountDatabase } from './couch/install.js';
import { loadSeeds } from './couch/seeds.js';
import type { Couch } from './couch/types.js';
import { makeDemoSipAccounts } from './demo-sip-accounts.js';
import type { Log } from './log.js';
import type { Services } from './services.js';

/** `seeds/` of this package. */
const SEEDS_DIR = fileURLToPath(new URL('../seeds', import.meta.url));

/**
 * Loads the demo data (contract §10) and makes the copies and claims that belong to it. Loading
 * again changes nothing. Its credentials are digested apart from real ones, so that they stop
 * working when `DEMO_DATA` is false.
 */
export async function loadDemo(couch: Couch, services: Services, log: Log): Promise<void> {
  const { box, demo } = services.secrets;
  const counts = await loadSeeds(couch, {
    dir: SEEDS_DIR,
    made: makeDemoSipAccounts(),
    transform: {
      seal: (clear, documentId, field) => box.seal(clear, documentId, field),
      digest: demo.digest,
      operator: services.operators.demoHash,
      password: async (accountId, username, password) => {
        const input = `${username}:${password}`;
        const hex = (algorithm: string) => createHash(algorithm).update(input).digest('hex');
        const [md5, sha1] = await Promise.all([
          demo.hash(accountId, hex('md5')),
          demo.hash(accountId, hex('sha1')),
        ]);
        return {
          pvt_md5_auth_digest: md5,
          pvt_sha1_auth_digest: sha1,
          pvt_signature_secret: newId(),
        };
      },
    },
    prepareDatabase: async (name) => {
      const accountId = accountIdOf(name);
      if (accountId === undefined) await couch.createDatabase(name);
      else await installAccountDatabase(couch, accountId);
    },
  });
  if (counts.kept.length > 0) log.info('seeds left alone, as they were changed', { ...counts });
  if (counts.created + counts.updated === 0) return;
  await services.refresh.accounts();
  await services.refresh.users();
  await services.refresh.subscriptions();
  await services.refresh.ports();
  await services.refresh.sipAccounts();
  log.info('demo data loaded', { created: counts.created, updated: counts.updated });
}

/** The API key of Demo Reseller for Voximplant's clients, as on Voximplant's page. */
const PLATFORM_KEY = 'eec36d6c-a0eb-46b5-a006-1c2b65343bac';

/** The embedded store as a newcomer finds it. */
interface EmbeddedAddress {
  /** With user and password. */
  readonly url: string;
  /** Whether the web interface's files could be had at install. */
  readonly hasFauxton: boolean;
}

function describeEmbedded({ url, hasFauxton }: EmbeddedAddress): string {
  const { origin, username, password } = new URL(url);
  const login = `user ${decodeURIComponent(username)}, password ${decodeURIComponent(password)}`;
  // Without the login in it: pages opened that way may not call their own server with fetch.
  const fauxton = hasFauxton
    ? `${origin}/_utils/   ${login}`
    : 'not installed; "npm run fauxton" fetches it';
  return `  Store          ${url}\n  Fauxton        ${fauxton}\n`;
}

function describeCarrier(url: string | undefined): string {
  return url === undefined
    ? ''
    : `  Carrier        ${url}/   the sandbox carrier: its lines, faults and requests\n`;
}

/** What `npm start` prints for a newcomer: where everything is, and a call to begin with. */
export function describeDemo(
  apiUrl: string,
  embedded: EmbeddedAddress | undefined,
  carrierUrl: string | undefined,
): string {
  const key = createHash('sha256').update('telcouch demo master').digest('hex');
  return `
telcouch is ready.

  API            ${apiUrl}/v2
  Voximplant's   ${apiUrl}/platform_api   authorized IPs
  API pages      ${apiUrl}/docs/
  Health         ${apiUrl}/ready
${embedded === undefined ? '' : describeEmbedded(embedded)}${describeCarrier(carrierUrl)}
Demo accounts (they work only with DEMO_DATA=true):
  Demo Master    c0ffee00000000000000000000000001   user admin, password demo-password
  Demo Reseller  c0ffee00000000000000000000000002
  Demo Customer  c0ffee00000000000000000000000003
  Demo operator  user username, password password: SIP accounts of Demo Reseller's customers

Get a token:
  TOKEN=$(curl -s -X PUT ${apiUrl}/v2/api_auth -d '{"data":{"api_key":"${key}"}}' \\
    | sed -n 's/.*"auth_token":"\\([^"]*\\)".*/\\1/p')

Then try:
  curl -H "X-Auth-Token: $TOKEN" ${apiUrl}/v2/accounts/c0ffee00000000000000000000000003/ips
  curl -H "X-Auth-Token: $TOKEN" -X POST -d '{"data":{"ips":["1.2.3.4","5.6.7.8"]}}' \\
    ${apiUrl}/v2/accounts/c0ffee00000000000000000000000003/ips
  curl -H "X-Auth-Token: $TOKEN" -X POST -d '{"data":{"mdn":"+15550001111"}}' \\
    ${apiUrl}/v2/support/subscriptions/lookup
  curl -H "X-Auth-Token: $TOKEN" ${apiUrl}/v2/support/usage/audit
  curl -H "X-Auth-Token: $TOKEN" "${apiUrl}/v2/support/routing/resolve?source_ip=198.51.100.11"
  curl "${apiUrl}/platform_api/GetAuthorizedAccountIPs/?account_id=1&api_key=${PLATFORM_KEY}"
  curl -u username:password "${apiUrl}/api/rest/public/operator/sip_device_routes?page[size]=1" -g
`;
}
