import { databases } from '../../src/couch/databases.js';
import { newCustomer } from '../support/json-api.js';
import { startTestService, type TestService } from '../support/service.js';
import { runSup, sharedStore } from './run-sup.js';

const CARRIAGE_RETURN = 'it has a carriage return inside; lines end with LF or CRLF';
const NO_UTF8 = 'it is not UTF-8';

let service: TestService;
let accountId: string;
let limited: string;

const run = (args: readonly string[], stdin: string | Buffer) =>
  runSup(args, { env: sharedStore(service.dbPrefix, service.keyring), stdin });
const load = (stdin: string | Buffer) => run(['sip_accounts_maintenance', 'import', '-'], stdin);
const addIps = (stdin: string | Buffer) => run(['kazoo_ips_maintenance', 'add', '-'], stdin);

const HEADER = 'account,username,password,caller_id_name';
const lineOf = (username: string, name = '') => `${accountId},${username},secret-12,${name}`;

/** The user names and caller id names that are stored. */
async function stored(): Promise<unknown[]> {
  const docs = await service.couch.database(databases.sipAuth).listDocs({ limit: 500 });
  return docs
    .filter((doc) => doc['pvt_account_id'] === accountId)
    .map(({ sip, caller_id: caller }) => [
      (sip as { username: string }).username,
      (caller as { internal?: { name?: string } } | undefined)?.internal?.name,
    ])
    .sort();
}
const ipsOf = async (zone: string) => {
  const token = await service.tokenOf(1);
  const { body } = await service.call('GET', `/v2/ips/all?zone=${zone}`, { token });
  return body.data.map(({ ip }: { ip: string }) => ip).sort();
};

beforeAll(async () => {
  service = await startTestService();
  limited = await newCustomer(service, 'limited', { limit: 1 });
});
beforeEach(async () => {
  accountId = await newCustomer(service, `csv-${Date.now()}`);
});
afterAll(() => service.stop());

describe('a file whose lines end with a carriage return alone', () => {
  it('is no list of SIP accounts', async () => {
    const text = [HEADER, lineOf('one'), lineOf('two'), ''].join('\r');
    expect(await load(text)).toEqual({
      code: 2,
      stdout: '',
      stderr: `sup: line 1, which names the columns: ${CARRIAGE_RETURN}\n`,
    });
    expect(await stored()).toEqual([]);
  });

  it('is no list of addresses', async () => {
    const text = '198.51.100.1,cr,h\r198.51.100.2,cr,h\r198.51.100.3,cr,h\r';
    expect(await addIps(text)).toEqual({
      code: 2,
      stdout:
        `line 1: unable to add IP : invalid_csv (${CARRIAGE_RETURN})\n` +
        'added 0 IPs to available dedicated ips\n1 failed\n',
      stderr: '',
    });
    expect(await ipsOf('cr')).toEqual([]);
  });

  it('in some places is told of these, and the others are read', async () => {
    const text = `${HEADER}\r\n${lineOf('one')}\r${lineOf('two')}\n${lineOf('three')}\r\n`;
    const { code, stdout } = await load(text);
    expect([code, stdout]).toEqual([
      2,
      `line 2: ${CARRIAGE_RETURN}\ncreated 1 SIP accounts\n1 failed\n`,
    ]);
    expect(await stored()).toEqual([['three', undefined]]);
  });
});

describe('a file in Latin-1', () => {
  it('stores no replacement characters', async () => {
    const lines = [HEADER, lineOf('plain', 'Desk'), lineOf('umlaut', 'Müller'), ''];
    const latin = Buffer.from(lines.join('\n'), 'latin1');
    const { code, stdout } = await load(latin);
    expect([code, stdout]).toEqual([2, `line 3: ${NO_UTF8}\ncreated 1 SIP accounts\n1 failed\n`]);
    expect(await stored()).toEqual([['plain', 'Desk']]);
    const utf8 = Buffer.from([HEADER, lineOf('umlaut', 'Müller €😀')].join('\n'));
    expect((await load(utf8)).code).toBe(0);
    expect(await stored()).toContainEqual(['umlaut', 'Müller €😀']);
  });

  it('adds no addresses with them', async () => {
    const text = '198.51.100.1,latin,h\n198.51.100.2,latin,hé\n198.51.100.3,latin,h\n';
    const { code, stdout } = await addIps(Buffer.from(text, 'latin1'));
    expect([code, stdout]).toEqual([
      2,
      `line 2: unable to add IP : invalid_csv (${NO_UTF8})\n` +
        'added 2 IPs to available dedicated ips\n1 failed\n',
    ]);
    expect(await ipsOf('latin')).toEqual(['198.51.100.1', '198.51.100.3']);
  });

  it('or UTF-16 names no columns', async () => {
    const utf16 = Buffer.from(`\ufeff${HEADER}\n${lineOf('one')}\n`, 'utf16le');
    expect(await load(utf16)).toEqual({
      code: 2,
      stdout: '',
      stderr: `sup: line 1, which names the columns: ${NO_UTF8}\n`,
    });
  });
});

test.each(['', '\n\r\n', '\ufeff'])('a file without a header is none: %j', async (text) => {
  expect(await load(text)).toEqual({
    code: 2,
    stdout: '',
    stderr: 'sup: the file is empty; its first line has to name the columns\n',
  });
});

test('all faults of a line are told at once', async () => {
  const header = 'account,username,password,internal_caller_id,allowed_ips,on_demand';
  const { code, stdout } = await load(`${header}\nnobody,x y,a,b,c,d\n${limited},ok,a,,,\n`);
  const told = [
    'line 2: account: no such account',
    'username: must have 2 to 32 letters, digits, dots, hyphens or underscores',
    'password: must have 5 to 32 printable characters without blanks',
    'internal_caller_id: must be a number of at most 15 digits',
    'on_demand: must be true or false',
    'allowed_ips: must be at most 200 IP addresses or networks, separated by commas',
  ];
  const [first, ...parts] = (stdout.split('\n')[0] ?? '').split('; ');
  expect([code, first, parts.sort()]).toEqual([2, told[0], told.slice(1).sort()]);
  expect(stdout.split('\n').slice(1)).toEqual([
    'line 3: password: must have 5 to 32 printable characters without blanks',
    'created 0 SIP accounts',
    '2 failed',
    '',
  ]);
});

test('the SIP accounts of an account that is not there are no empty list', async () => {
  for (const args of [['f'.repeat(32)], ['f'.repeat(32), '--json']]) {
    expect(await run(['sip_accounts_maintenance', 'list', ...args], '')).toEqual({
      code: 2,
      stdout: '',
      stderr: 'sup: no such account\n',
    });
  }
  const none = await run(['sip_accounts_maintenance', 'list', accountId, '--json'], '');
  expect([none.code, JSON.parse(none.stdout)]).toEqual([0, []]);
});
