import { supportSamples } from './support-samples.js';

export const ID = 'c0ffee00000000000000000000000003';
export const PARENT = 'c0ffee00000000000000000000000002';
export const ROOT = 'c0ffee00000000000000000000000001';
export const DB = 'account%2Fc0%2Fff%2Fee00000000000000000000000003';

export const ip = {
  _id: '1.2.3.4',
  pvt_type: 'dedicated_ip',
  pvt_status: 'assigned',
  pvt_assigned_to: ID,
  pvt_zone: 'us-east',
  pvt_host: 'proxy1',
};
export const free = {
  _id: '5.6.7.8',
  pvt_type: 'dedicated_ip',
  pvt_status: 'available',
  pvt_zone: 'z',
  pvt_host: 'h',
};
export const account = {
  _id: ID,
  pvt_type: 'account',
  pvt_account_id: ID,
  pvt_account_db: DB,
  pvt_tree: [ROOT, PARENT],
  name: 'Acme, Inc.',
  realm: 'Sip.Acme-1.example',
  pvt_api_key: 'k',
  pvt_api_key_digest: 'd',
  pvt_whitelabel_domain: 'Acme.Example',
  pvt_customer_id: '1001',
  pvt_sip_account_limit: 5,
  sso: { provider: 'p', ids: ['i1', 'i2'] },
  ips: [{ ip: '192.0.2.1', owner_id: 'o' }],
};
export const user = {
  _id: 'u1',
  pvt_type: 'user',
  pvt_account_id: ID,
  enabled: true,
  username: 'bob',
  first_name: 'Bob',
  last_name: "O'Neil",
  email: 'Bob@Acme.example',
  priv_level: 'admin',
  hotdesk: { id: '12', enabled: true },
  call_forward: { enabled: true, failover: true },
  vm_to_email_enabled: true,
  pvt_md5_auth: 'm',
  pvt_sha1_auth: 's',
  pvt_md5_auth_digest: 'md',
  pvt_sha1_auth_digest: 'sd',
};
export const key = {
  _id: 'k',
  _rev: '2-a',
  pvt_type: 'idempotency_key',
  pvt_expires_ms: 1_800_000,
};
/** Kazoo's device, which a SIP account is; mobile devices have another id. */
export const sipAccount = {
  _id: 'c1c798dcee42462e8fca0fa96d6fe3c0',
  _rev: '3-abc',
  pvt_type: 'device',
  pvt_account_id: ID,
  sip: { username: 'desk', realm: 'acme.example', password: 'never emitted' },
  caller_id: { internal: { name: 'Desk', number: '101' }, external: { number: '+15551234567' } },
  use_allowed_ips: true,
  on_demand: true,
  outgoing_external: true,
  allow_external_calls: 'true',
  allowed_ips: '10.0.0.0/8',
};
/** A document of each kind that our views look at. */
export const samples: Record<string, object> = {
  dedicated_ip: ip,
  free,
  account,
  user,
  key,
  sipAccount,
  ...supportSamples,
};
