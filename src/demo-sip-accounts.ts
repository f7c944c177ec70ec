import { createHash } from 'node:crypto';
import { claimId } from './couch/claims.js';
import { databases, encodedAccountDatabase } from './couch/databases.js';
import type { MadeSeed } from './couch/seeds.js';

/** The demo customers, how many SIP accounts are made for each, and their realms. */
const CUSTOMERS = [
  { id: 'c0ffee00000000000000000000000003', realm: 'customer.demo.telcouch', count: 80 },
  { id: 'c0ffee00000000000000000000000004', realm: 'branch.demo.telcouch', count: 50 },
] as const;

const FIRST_NAMES = ['Ada', 'Bo', 'Chen', 'Dana', 'Emil', 'Fatma', 'Goda', 'Hugo', 'Ines', 'Jonas'];
const PLACES = ['Desk', 'Lab', 'Lobby', 'Shop', 'Warehouse'];
const NETWORKS = ['192.0.2.0/24', '198.51.100.7/32', '203.0.113.0/28', '2001:db8:a::/48'];
const FIRST_EXTENSION = 100;
const FIRST_NUMBER = 37_052_000_100;
const CREDENTIAL_LENGTH = 10;

/** The same digits in every installation: loading the demo again must find what is there. */
function digitsOf(n: number, what: string): string {
  return createHash('sha256').update(`telcouch demo sip account ${n} ${what}`).digest('hex');
}

/** Letters and digits as phones are given them. */
function credential(n: number, what: string): string {
  return BigInt(`0x${digitsOf(n, what)}`)
    .toString(36)
    .slice(0, CREDENTIAL_LENGTH);
}

function fieldsOf(n: number, customer: (typeof CUSTOMERS)[number]): Record<string, unknown> {
  const bits = Number.parseInt(digitsOf(n, 'switches').slice(0, 4), 16);
  const isOn = (bit: number) => (bits & (1 << bit)) !== 0;
  const username = credential(n, 'username');
  const name =
    n % 7 === 0 ? undefined : `${FIRST_NAMES[n % FIRST_NAMES.length]} ${PLACES[n % PLACES.length]}`;
  const allowedIps =
    n % 3 === 0 ? undefined : NETWORKS.slice(0, 1 + (n % NETWORKS.length)).join(',');
  const isEnforced = allowedIps !== undefined && isOn(7);
  const internal = {
    ...(name && { name }),
    ...(n % 4 !== 0 && { number: `${FIRST_EXTENSION + n}` }),
  };
  const external = { ...(name && { name }), ...(n % 5 === 0 && { number: `${FIRST_NUMBER + n}` }) };
  return {
    name: username,
    enabled: true,
    device_type: 'sip_device',
    sip: { method: 'password', invite_format: 'contact', username, realm: customer.realm },
    caller_id: { internal, external },
    incoming_internal: isOn(0),
    incoming_external: isOn(1),
    outgoing_internal: isOn(2),
    outgoing_external: isOn(3),
    on_demand: isOn(4),
    allow_external_calls: isOn(5),
    use_allowed_ips: isEnforced,
    ...(allowedIps === undefined ? {} : { allowed_ips: allowedIps }),
    ...(isEnforced ? { access_lists: { order: 'allow,deny', cidrs: allowedIps.split(',') } } : {}),
    pvt_type: 'device',
    pvt_account_id: customer.id,
    pvt_account_db: encodedAccountDatabase(customer.id),
    pvt_sip_password: { $seal: credential(n, 'password') },
  };
}

/** The claim of a SIP account's user name, so that nobody has to make it one by one. */
function claimOf(id: string, username: string, realm: string): MadeSeed {
  const value = `${username}@${realm}`;
  return {
    database: databases.claims,
    id: claimId('sip_user', value),
    fields: {
      pvt_type: 'claim',
      pvt_kind: 'sip_user',
      pvt_value: value,
      pvt_state: 'held',
      pvt_owner: id,
      pvt_owner_db: databases.sipAuth,
    },
  };
}

/**
 * SIP accounts of the demo customers, mixed in all that they can be filtered and sorted by. Their
 * ids come behind that of the page's own account, so that a first page begins with it.
 */
export function makeDemoSipAccounts(): readonly MadeSeed[] {
  let n = 0;
  return CUSTOMERS.flatMap((customer) =>
    Array.from({ length: customer.count }).flatMap((): MadeSeed[] => {
      n += 1;
      const digits = digitsOf(n, 'id').slice(0, 31);
      const id = `${'def'.charAt(n % 3)}${digits}`;
      const fields = fieldsOf(n, customer);
      return [
        { database: databases.sipAuth, id, fields },
        claimOf(id, String(fields['name']), customer.realm),
      ];
    }),
  );
}
