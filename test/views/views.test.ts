import { account, DB, free, ID, ip, key, PARENT, ROOT, user } from './samples.js';
import { runMap, runReduce } from './view-server.js';

describe('dedicated IPs', () => {
  const path = (view: string): string => `dedicated_ips/dedicated_ips/${view}`;

  test('are listed as Kazoo lists them', async () => {
    const listed = { ip: '1.2.3.4', zone: 'us-east' };
    expect(await runMap(path('assigned_to_listing'), ip)).toEqual([[ID, listed]]);
    expect(await runMap(path('assigned_to_listing'), free)).toEqual([]);
    expect(await runMap(path('available_listing'), ip)).toEqual([]);
    expect(await runMap(path('available_listing'), free)).toEqual([
      ['z', { ip: '5.6.7.8', zone: 'z' }],
    ]);
    expect(await runMap(path('host_listing'), ip)).toEqual([['proxy1', null]]);
    expect(await runMap(path('zone_listing'), ip)).toEqual([['us-east', null]]);
    expect(await runMap(path('summary_listing'), ip)).toEqual([
      ['proxy1', { ...listed, host: 'proxy1', status: 'assigned', assigned_to: ID }],
    ]);
    expect(await runMap(path('summary_listing'), free)).toEqual([
      ['h', { ip: '5.6.7.8', zone: 'z', host: 'h', status: 'available', assigned_to: '' }],
    ]);
    expect(await runReduce(path('host_listing'), [null, null])).toBe(true);
    expect(await runReduce(path('zone_listing'), [true])).toBe(true);
  });

  test('are found by every combination of zone, host, status and holder', async () => {
    const byFilter = 'dedicated_ips/telcouch/by_filter';
    const held = { zone: 'us-east', host: 'proxy1', status: 'assigned', assigned_to: ID };
    expect(await runMap(byFilter, ip)).toEqual([
      [['zone', 'us-east', 'proxy1', 'assigned'], held],
      [['status', 'assigned', 'us-east', 'proxy1'], held],
      [['host', 'proxy1', 'assigned'], held],
      [['account', ID, 'us-east', 'proxy1'], held],
      [['account_host', ID, 'proxy1'], held],
    ]);
    const loose = { zone: 'z', host: 'h', status: 'available' };
    expect(await runMap(byFilter, { ...free, pvt_assigned_to: ID })).toEqual([
      [['zone', 'z', 'h', 'available'], loose],
      [['status', 'available', 'z', 'h'], loose],
      [['host', 'h', 'available'], loose],
    ]);
    expect(await runMap(byFilter, { ...free, pvt_zone: 7 })).toEqual([]);
  });
});

describe('accounts', () => {
  const { name, realm } = account;
  const row = { id: ID, name, realm };
  const owner = { account_id: ID, account_db: DB };
  const root = {
    _id: ROOT,
    pvt_type: 'account',
    pvt_tree: [],
    name: 'Root',
    realm: 'r',
    flags: ['f'],
  };

  test.each([
    ['listing_by_id', [[[ID, [ROOT, PARENT, ID]], { ...row, flags: [] }]]],
    ['listing_by_simple_id', [[ID, row]]],
    ['listing_by_children', [[[PARENT, name], { ...row, descendants_count: 0, flags: [] }]]],
    [
      'listing_by_descendants',
      [ROOT, PARENT].map((id) => [[id, name], { ...row, tree: [ROOT, PARENT], flags: [] }]),
    ],
    ['listing_by_descendants_count', [ROOT, PARENT].map((id) => [id, 1])],
    ['listing_by_parent', [[ID, { id: PARENT, flags: [] }]]],
    ['listing_by_name', [['acmeinc', owner]]],
    ['listing_by_realm', [['sip.acme-1.example', owner]]],
    ['listing_by_api', [['k', { account_id: ID }]]],
    ['listing_by_ip', [['192.0.2.1', { owner_id: 'o', account_id: ID }]]],
    ['listing_by_sso', ['i1', 'i2'].map((id) => [['p', id], owner])],
    ['list_by_whitelabel_domain', [['acme.example', owner]]],
  ])('are listed in %s as Kazoo lists them', async (view, rows) => {
    expect(await runMap(`accounts/accounts/${view}`, account)).toEqual(rows);
  });

  test('without ancestors are the children of null', async () => {
    expect(await runMap('accounts/accounts/listing_by_children', root)).toEqual([
      [[null, 'Root'], { id: ROOT, name: 'Root', realm: 'r', descendants_count: 0, flags: ['f'] }],
    ]);
    expect(await runMap('accounts/accounts/listing_by_parent', root)).toEqual([
      [ROOT, { id: null, flags: ['f'] }],
    ]);
    expect(await runMap('accounts/accounts/listing_by_descendants', root)).toEqual([]);
  });

  test.each([
    ['id', ID],
    ['name', 'acmeinc'],
    ['realm', 'sipacme1example'],
  ])('are searched by %s below each ancestor', async (field, value) => {
    const found = { ...row, descendants_count: 0 };
    expect(await runMap(`accounts/search/search_by_${field}`, account)).toEqual([
      [[ROOT, 'account', value], found],
      [[PARENT, 'account', value], found],
    ]);
  });

  test('are found by the digest of a key of ours', async () => {
    const rows = [['d', { account_id: ID }]];
    expect(await runMap('accounts/telcouch/by_api_key_digest', account)).toEqual(rows);
  });

  test('are listed in their own database', async () => {
    const named = { id: ID, name };
    expect(await runMap('account/account/listing_by_id', account)).toEqual([[ID, named]]);
    expect(await runMap('account/account/listing_by_name', account)).toEqual([[name, named]]);
    expect(await runMap('account/account/listing_by_realm', account)).toEqual([[realm, owner]]);
  });
});

describe('users', () => {
  const listed = {
    id: 'u1',
    features: ['call_forward', 'call_forward_failover', 'hotdesk', 'vm_to_email'],
    username: 'bob',
    email: 'Bob@Acme.example',
    first_name: 'Bob',
    last_name: "O'Neil",
    priv_level: 'admin',
  };
  const owner = { owner_id: 'u1', account_id: ID };

  test.each([
    ['users/crossbar_listing', [["O'Neil Bob", { ...listed, flags: [] }]]],
    ['users/list_by_id', [['u1', listed]]],
    ['users/list_by_username', [['bob', null]]],
    ['users/list_by_email', [['bob@acme.example', null]]],
    ['users/list_by_hotdesk_id', [['12', null]]],
    ['users/creds_by_md5', [['m', owner]]],
    ['users/creds_by_sha', [['s', owner]]],
    [
      'telcouch/credentials',
      [
        ['md', owner],
        ['sd', owner],
      ],
    ],
    ['telcouch/copies_by_type', [['user', null]]],
    [
      'search/search_by_name',
      [
        [
          ['user', 'boboneil'],
          { id: 'u1', name: "Bob O'Neil", first_name: 'Bob', last_name: "O'Neil" },
        ],
      ],
    ],
  ])('are listed in %s', async (view, rows) => {
    expect(await runMap(`account/${view}`, user)).toEqual(rows);
  });

  test.each(['users/creds_by_md5', 'users/creds_by_sha', 'telcouch/credentials'])(
    'that are not enabled have no row in %s',
    async (view) => {
      expect(await runMap(`account/${view}`, { ...user, enabled: false })).toEqual([]);
      expect(await runMap(`account/${view}`, { ...user, enabled: undefined })).toEqual([]);
    },
  );

  test('copies of deleted documents are still found by type', async () => {
    const doc = { ...ip, pvt_deleted: true };
    expect(await runMap('account/telcouch/copies_by_type', doc)).toEqual([['dedicated_ip', null]]);
  });

  test('other documents are searched by their name', async () => {
    const device = { _id: 'd', pvt_type: 'device', name: 'Desk 7' };
    expect(await runMap('account/search/search_by_name', device)).toEqual([
      [['device', 'desk7'], { id: 'd', name: 'Desk 7' }],
    ]);
  });
});

test('records of idempotency keys are found by their end, at the revision that ends', async () => {
  const path = 'ops-top/idempotency/by_expiry';
  expect(await runMap(path, key)).toEqual([[key.pvt_expires_ms, key._rev]]);
  expect(await runMap(path, { ...key, pvt_expires_ms: undefined })).toEqual([]);
});
