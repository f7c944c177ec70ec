import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { callRaw } from '../support/raw-call.js';
import { startTestService, type TestService } from '../support/service.js';
import { runSup, type SupResult, sharedStore } from './run-sup.js';

const NO_IP = 'ip: neither an IPv4 nor an IPv6 address in its usual form';

describe('sup kazoo_ips_maintenance add with more than one address', () => {
  let service: TestService;
  let token: string;
  let folder: string;
  let files = 0;

  beforeAll(async () => {
    service = await startTestService();
    token = await service.tokenOf(1);
    folder = await mkdtemp(join(tmpdir(), 'telcouch-csv-'));
  });
  afterAll(async () => {
    await service.stop();
    await rm(folder, { recursive: true });
  });

  /** Without the lines of progress, which come after some seconds of work only. */
  async function sup(args: string[], stdin?: string): Promise<SupResult> {
    const result = await runSup(['kazoo_ips_maintenance', ...args], {
      env: sharedStore(service.dbPrefix, service.keyring),
      ...(stdin === undefined ? {} : { stdin }),
    });
    return {
      ...result,
      stderr: result.stderr.replaceAll(/^sup: \d+ IPs added, \d+ failed\n/gm, ''),
    };
  }

  async function fileOf(text: string): Promise<string> {
    files += 1;
    const path = join(folder, `${files}.csv`);
    await writeFile(path, text);
    return path;
  }

  async function zoneOf(zone: string): Promise<[ip: string, host: string][]> {
    const path = `/v2/ips/all?zone=${zone}&page_size=10000&ascending=true`;
    const { body } = await service.call('GET', path, { token });
    return body.data.map(({ ip, host }: { ip: string; host: string }) => [ip, host]).sort();
  }

  it('adds the lines of a file', async () => {
    const path = await fileOf(
      '198.51.100.1,file,h1\n198.51.100.2,file,"h,2"\r\n\n2001:DB8::1,file,h3',
    );
    expect(await sup(['add', path])).toEqual({
      code: 0,
      stdout: 'added 3 IPs to available dedicated ips\n',
      stderr: '',
    });
    expect(await zoneOf('file')).toEqual([
      ['198.51.100.1', 'h1'],
      ['198.51.100.2', 'h,2'],
      ['2001:db8::1', 'h3'],
    ]);
  });

  it('adds what comes by a pipe, with a header in any order and more columns', async () => {
    const text =
      '\ufeffHost, Zone ,status,IP\r\nh1,pipe,assigned,198.51.100.11\r\nh2,pipe,,198.51.100.12\r\n';
    expect(await sup(['add', '-'], text)).toEqual({
      code: 0,
      stdout: 'added 2 IPs to available dedicated ips\n',
      stderr: '',
    });
    expect(await zoneOf('pipe')).toEqual([
      ['198.51.100.11', 'h1'],
      ['198.51.100.12', 'h2'],
    ]);
  });

  it('says which lines failed and why, adds the others, and ends with 2', async () => {
    const lines = [
      '198.51.100.21,bad,h',
      '198.51.100,bad,h',
      '',
      '198.51.100.22,,h',
      '198.51.100.23,bad',
      '1.2.3.4,bad,h',
      '198.51.100.21,bad,h',
      '198.51.100.24,bad,"h',
      `198.51.100.25,bad,${'h'.repeat(20_000)}`,
      '\u001b[2Jevil,bad,h',
      '198.51.100.26,bad,h',
    ];
    const { code, stdout, stderr } = await sup(['add', await fileOf(lines.join('\n'))]);
    expect([code, stderr]).toEqual([2, '']);
    expect(stdout.split('\n').sort()).toEqual(
      [
        '',
        '8 failed',
        'added 2 IPs to available dedicated ips',
        `line 2: unable to add IP 198.51.100: invalid_ip (${NO_IP})`,
        'line 4: unable to add IP 198.51.100.22: invalid_zone ' +
          '(zone: String must be at least 1 characters)',
        'line 5: unable to add IP 198.51.100.23: invalid_csv ' +
          '(2 columns in place of ip, zone, host)',
        'line 6: unable to add IP 1.2.3.4: conflict',
        'line 7: unable to add IP 198.51.100.21: conflict (it is in line 1 as well)',
        'line 8: unable to add IP : invalid_csv (Quote Not Closed)',
        'line 9: unable to add IP : invalid_csv (longer than 10000 characters)',
        `line 10: unable to add IP ?[2Jevil: invalid_ip (${NO_IP})`,
      ].sort(),
    );
    expect(await zoneOf('bad')).toEqual([
      ['198.51.100.21', 'h'],
      ['198.51.100.26', 'h'],
    ]);
  });

  it('prints the same as JSON', async () => {
    const path = await fileOf('ip,zone,host\n198.51.100.31,json,h\n1.2.3.4,json,h\nfoo,json,h\n');
    const { code, stdout } = await sup(['--json', 'add', path]);
    expect(code).toBe(2);
    expect(JSON.parse(stdout)).toEqual({
      added: 1,
      failed: 2,
      failures: [
        { line: 4, ip: 'foo', reason: 'invalid_ip' },
        { line: 3, ip: '1.2.3.4', reason: 'conflict' },
      ],
    });
  });

  it('refuses a header that lacks a column, and files that cannot be read', async () => {
    expect(await sup(['add', await fileOf('ip,zone\n198.51.100.41,z\n')])).toEqual({
      code: 2,
      stdout: 'unable to add IPs: invalid\n',
      stderr: 'sup: the header has no column host\n',
    });
    const absent = join(folder, 'absent.csv');
    expect(await sup(['add', absent])).toEqual({
      code: 2,
      stdout: `unable to read ${absent}: enoent\n`,
      stderr: '',
    });
    expect((await sup(['add', folder])).stdout).toBe(`unable to read ${folder}: eisdir\n`);
    expect(await sup(['add', '-'], '')).toEqual({
      code: 0,
      stdout: 'added 0 IPs to available dedicated ips\n',
      stderr: '',
    });
  });

  it('adds a block, and says which of its addresses are there already', async () => {
    expect(await sup(['add', '198.51.100.64/30', 'block', 'h'])).toEqual({
      code: 0,
      stdout: 'added 4 IPs to available dedicated ips\n',
      stderr: '',
    });
    const again = await sup(['add', '198.51.100.64/29', 'block', 'h']);
    expect(again.code).toBe(2);
    expect(again.stdout).toBe(
      [64, 65, 66, 67].map((n) => `unable to add IP 198.51.100.${n}: conflict\n`).join('') +
        'added 4 IPs to available dedicated ips\n4 failed\n',
    );
    expect(await zoneOf('block')).toHaveLength(8);
  });

  it.each([
    ['198.51.100.65/30', 'ip: host bits are set; the network is 198.51.100.64/30'],
    ['10.0.0.0/8', 'ip: a block has at most 65536 addresses'],
    ['198.51.100.0/x', 'ip: not a prefix such as 192.0.2.0/28'],
  ])('refuses %s as a block', async (text, talk) => {
    expect(await sup(['add', text, 'block', 'h'])).toEqual({
      code: 2,
      stdout: `unable to add IP ${text}: invalid_ip\n`,
      stderr: `sup: ${talk}\n`,
    });
  });

  it('one block alone is no file', async () => {
    const { code, stdout } = await sup(['add', '198.51.100.64/30']);
    expect([code, stdout]).toEqual([1, '']);
  });

  it('reads back what the API has written as CSV, thousands of lines of it', async () => {
    const data = { cidr: '10.50.0.0/20', zone: 'export', host: 'h' };
    await service.call('PUT', '/v2/ips', { token, body: { data } });
    const headers = { accept: 'text/csv' };
    const path = '/v2/ips/all?zone=export';
    const { text } = await callRaw(service.url, 'GET', path, { token, headers });
    const moved = text.replaceAll('10.50.', '10.51.').replaceAll(',export,', ',import,');
    const { code, stdout } = await sup(['add', '-'], moved);
    expect([code, stdout]).toEqual([0, 'added 4096 IPs to available dedicated ips\n']);
    expect(await zoneOf('import')).toHaveLength(4096);
  }, 60_000);
});
