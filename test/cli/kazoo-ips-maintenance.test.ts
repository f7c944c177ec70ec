import {
  CUSTOMER,
  MASTER,
  RESELLER,
  startTestService,
  type TestService,
} from '../support/service.js';
import { runSup, type SupResult, sharedStore } from './run-sup.js';

const NO_IP = 'sup: ip: neither an IPv4 nor an IPv6 address in its usual form\n';
const RULE = `+${[17, 12, 12, 32, 34].map((n) => '-'.repeat(n)).join('+')}+`;
const DOUBLE_RULE = RULE.replaceAll('-', '=');
const HEAD = line('IP', 'Status', 'Zone', 'Host', 'Account');

/** A row of the table, spelled out: every cell padded to the width of its column. */
function line(ip: string, status: string, zone: string, host: string, account: string): string {
  const cells = [ip.padEnd(15), status.padEnd(10), zone.padEnd(10), host.padEnd(30)];
  return `| ${[...cells, account.padEnd(32)].join(' | ')} |`;
}

describe('sup kazoo_ips_maintenance', () => {
  let service: TestService;
  const sup = (...args: string[]): Promise<SupResult> =>
    runSup(['kazoo_ips_maintenance', ...args], {
      env: sharedStore(service.dbPrefix, service.keyring),
    });

  beforeAll(async () => {
    service = await startTestService();
  });
  afterAll(() => service.stop());

  it('adds an address with the line of the page, and the API has it', async () => {
    const result = await sup('add', '203.0.113.1', 'us-east', 'proxy9.us-east.myswitch.com');
    expect(result).toEqual({
      code: 0,
      stdout: 'added IP 203.0.113.1 to available dedicated ips\n',
      stderr: '',
    });
    const token = await service.tokenOf(1);
    const answer = await service.call('GET', '/v2/ips/203.0.113.1', { token });
    expect(answer.body.data).toEqual({
      id: '203.0.113.1',
      ip: '203.0.113.1',
      zone: 'us-east',
      host: 'proxy9.us-east.myswitch.com',
      status: 'available',
      type: 'dedicated_ip',
    });
  });

  it('stores the document of Kazoo, stamped with the id of the command', async () => {
    await sup('add', '203.0.113.2', 'us-east', 'proxy9.us-east.myswitch.com');
    const doc = await service.couch.database('dedicated_ips' as never).get('203.0.113.2');
    expect(doc).toEqual({
      _id: '203.0.113.2',
      _rev: expect.stringMatching(/^1-/),
      pvt_type: 'dedicated_ip',
      pvt_vsn: '1',
      pvt_status: 'available',
      pvt_zone: 'us-east',
      pvt_host: 'proxy9.us-east.myswitch.com',
      pvt_created: expect.any(Number),
      pvt_modified: doc['pvt_created'],
      pvt_request_id: expect.stringMatching(/^[0-9a-f]{32}$/),
    });
  });

  it('says conflict for an address the pool has, and ends with 2', async () => {
    expect(await sup('add', '1.2.3.4', 'us-east', 'proxy1.us-east.myswitch.com')).toEqual({
      code: 2,
      stdout: 'unable to add IP 1.2.3.4: conflict\n',
      stderr: '',
    });
  });

  it.each(['1.2.3', '01.2.3.4', 'fe80::1%eth0', '..'])('refuses %j as an address', async (text) => {
    expect(await sup('add', text, 'us-east', 'proxy1.us-east.myswitch.com')).toEqual({
      code: 2,
      stdout: `unable to add IP ${text}: invalid_ip\n`,
      stderr: NO_IP,
    });
  });

  it('refuses an empty zone and an empty host together', async () => {
    expect(await sup('add', '203.0.113.3', '', '')).toEqual({
      code: 2,
      stdout: 'unable to add IP 203.0.113.3: invalid_zone\n',
      stderr:
        'sup: zone: String must be at least 1 characters; ' +
        'host: String must be at least 1 characters\n',
    });
  });

  it.each([
    ['add', ' <ip> <zone> <host>'],
    ['assign', ' <ip> <account>'],
    ['release', ' <ip>'],
    ['delete', ' <ip>'],
  ])('says how to use %s when it is called without arguments', async (name, parameters) => {
    expect(await sup(name)).toEqual({
      code: 1,
      stdout: `Please use: sup kazoo_ips_maintenance ${name}${parameters}\n`,
      stderr: '',
    });
  });

  it('assigns, refuses to assign twice, releases twice, deletes once', async () => {
    await sup('add', '203.0.113.4', 'us-east', 'proxy9.us-east.myswitch.com');
    expect(await sup('assign', '203.0.113.4', CUSTOMER)).toEqual({
      code: 0,
      stdout: `assigned IP 203.0.113.4 to ${CUSTOMER}\n`,
      stderr: '',
    });
    const refused = {
      code: 2,
      stdout: 'unable to assign IP: already_assigned\n',
      stderr: '',
    };
    expect(await sup('assign', '203.0.113.4', CUSTOMER)).toEqual(refused);
    expect(await sup('assign', '203.0.113.4', RESELLER)).toEqual(refused);
    const released = { code: 0, stdout: 'released IP 203.0.113.4\n', stderr: '' };
    expect(await sup('release', '203.0.113.4')).toEqual(released);
    expect(await sup('release', '203.0.113.4')).toEqual(released);
    expect(await sup('delete', '203.0.113.4')).toEqual({
      code: 0,
      stdout: 'deleted IP 203.0.113.4\n',
      stderr: '',
    });
    expect(await sup('delete', '203.0.113.4')).toEqual({
      code: 2,
      stdout: 'unable to delete IP: not_found\n',
      stderr: '',
    });
    expect(await sup('release', '203.0.113.4')).toEqual({
      code: 2,
      stdout: 'unable to release IP: not_found\n',
      stderr: '',
    });
  });

  it('takes an account by the name of its database, and repeats it as it was typed', async () => {
    const database = 'account%2Fc0%2Fff%2Fee00000000000000000000000001';
    expect(await sup('assign', '5.6.7.8', database)).toEqual({
      code: 0,
      stdout: `assigned IP 5.6.7.8 to ${database}\n`,
      stderr: '',
    });
    expect((await service.services.ips.listAssigned(MASTER)).map(({ ip }) => ip)).toEqual([
      '5.6.7.8',
    ]);
  });

  it.each([
    ['1.2.3.5', 'ffffffffffffffffffffffffffffffff', 'unable to find account: not_found\n', ''],
    ['1.2.3.5', '../accounts', 'unable to find account: not_found\n', ''],
    ['203.0.113.99', CUSTOMER, 'unable to assign IP: not_found\n', ''],
    ['_all_docs', CUSTOMER, 'unable to assign IP: not_found\n', NO_IP],
  ])('does not assign %s to %s', async (ip, account, stdout, stderr) => {
    expect(await sup('assign', ip, account)).toEqual({ code: 2, stdout, stderr });
  });

  it('finds an address by any spelling', async () => {
    expect(await sup('release', '2001:DB8:0:0::10')).toEqual({
      code: 0,
      stdout: 'released IP 2001:db8::10\n',
      stderr: '',
    });
  });

  it('lists the IPs of a host in the table of Kazoo', async () => {
    await sup('assign', '1.2.3.6', CUSTOMER);
    expect(await sup('summary', 'proxy2.us-east.myswitch.com')).toEqual({
      code: 0,
      stdout: `${[
        RULE,
        HEAD,
        DOUBLE_RULE,
        line('1.2.3.6', 'assigned', 'us-east', 'proxy2.us-east.myswitch.com', CUSTOMER),
        RULE,
      ].join('\n')}\n`,
      stderr: '',
    });
  });

  it('cuts zone and host at the width of their columns, but never an address', async () => {
    const host = 'a-host-whose-name-is-longer-than-its-column.example';
    await sup('add', '203.0.113.5', 'a-zone-name-too-long', host);
    const narrow = await sup('summary', host);
    expect(narrow.stdout.split('\n')[3]).toBe(
      `| 203.0.113.5     | available  | a-zone-nam | ${host.slice(0, 30)} | ${' '.repeat(32)} |`,
    );
    const ip = '2001:db8:1111:2222:3333:4444:5555:6666';
    await sup('add', ip, 'a-zone-name-too-long', host);
    const lines = (await sup('summary', host)).stdout.split('\n');
    expect(lines[0]).toBe(`+${'-'.repeat(41)}${RULE.slice(18)}`);
    expect(lines[3]).toBe(
      `| ${ip}  | available  | a-zone-nam | ${host.slice(0, 30)} | ${' '.repeat(32)} |`,
    );
    expect(lines[4]).toMatch(/^\| 203\.0\.113\.5 {28} \| available /);
    await sup('delete', ip);
  });

  it('lets no control character of a stored name reach the terminal', async () => {
    const host = 'evil\u001b[2Jhost';
    await sup('add', '203.0.113.6', 'us-east', host);
    const { stdout } = await sup('summary', host);
    expect(stdout.split('\n')[3]).toContain('| evil?[2Jhost                   |');
    expect(stdout).not.toContain('\u001b');
  });

  it('says that there are no IPs', async () => {
    expect(await sup('summary', 'nowhere.example')).toEqual({
      code: 0,
      stdout: 'No IPs found\n',
      stderr: '',
    });
  });

  it('prints the summary as JSON', async () => {
    const { code, stdout } = await sup('--json', 'summary', 'proxy1.us-west.myswitch.com');
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual([
      {
        ip: '5.6.7.8',
        zone: 'us-west',
        host: 'proxy1.us-west.myswitch.com',
        status: 'assigned',
        assigned_to: MASTER,
      },
    ]);
  });

  it('repairs a copy, prints nothing, and does nothing the second time', async () => {
    await sup('assign', '5.6.7.9', CUSTOMER);
    const copies = service.couch.database('account/c0/ff/ee00000000000000000000000003' as never);
    await copies.remove(await copies.get('5.6.7.9'));
    const told = (written: number) =>
      `sup: ${written} copies written, 0 removed, 0 addresses of deleted accounts released\n`;
    expect(await sup('refresh')).toEqual({ code: 0, stdout: '', stderr: told(1) });
    expect((await copies.get('5.6.7.9'))['pvt_assigned_to']).toBe(CUSTOMER);
    expect(await sup('refresh')).toEqual({ code: 0, stdout: '', stderr: told(0) });
  });
});
