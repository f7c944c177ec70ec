import { readFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { describeCommand } from '../../src/cli/help.js';
import { modules } from '../../src/cli/modules.js';
import { generateKeyring } from '../../src/core/secret-box.js';
import { runSup } from './run-sup.js';

const WRONG = 'Invalid command or wrong number of arguments, please try again\n';

describe('sup', () => {
  it('prints the version of the package', async () => {
    const { version } = JSON.parse(readFileSync('package.json', 'utf8'));
    expect(await runSup(['--version'])).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' });
  });

  it.each([[['help']], [['--help']], [['-h']]])('lists the modules on %j', async (args) => {
    const { code, stdout, stderr } = await runSup(args);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    for (const { name, summary } of modules) {
      expect(stdout).toMatch(new RegExp(`^ {2}${name} +${summary}$`, 'm'));
    }
    expect(stdout).toMatch(/^ {2}2 {4}the command failed, or could do only a part$/m);
  });

  it('says the same on stderr when it is called with nothing, and ends with 1', async () => {
    const { stdout } = await runSup(['help']);
    expect(await runSup([])).toEqual({ code: 1, stdout: '', stderr: stdout });
  });

  it('lists the functions of a module, however it is asked', async () => {
    const asked = await Promise.all([
      runSup(['help', 'crossbar_maintenance']),
      runSup(['crossbar_maintenance', 'help']),
      runSup(['crossbar_maintenance', '--help']),
    ]);
    for (const result of asked) expect(result).toEqual({ ...asked[0], code: 0, stderr: '' });
    const listed = modules.find(({ name }) => name === 'crossbar_maintenance')?.commands ?? [];
    expect(listed).toHaveLength(8);
    for (const { name, summary } of listed) {
      expect(asked[0]?.stdout).toMatch(new RegExp(`^ {2}${name}( <.*>)? +${summary}$`, 'm'));
    }
  });

  it('has help on every function', () => {
    for (const module of modules) {
      for (const command of module.commands) {
        const text = describeCommand(module, command);
        expect(text.startsWith(`Usage: sup ${module.name} ${command.name}`)).toBe(true);
        expect(text).toContain(`\n${command.summary}\n`);
        expect(text).toContain('  --json ');
      }
    }
  });

  it('gives the help on a function in its place as well', async () => {
    const expected = await runSup(['help', 'kazoo_ips_maintenance', 'add']);
    expect(await runSup(['kazoo_ips_maintenance', 'add', '--help'])).toEqual(expected);
    expect(await runSup(['kazoo_ips_maintenance', 'add', 'help'])).toEqual(expected);
    expect(await runSup(['kazoo_ips_maintenance', 'help', 'add'])).toEqual(expected);
  });

  it.each([
    [['nope']],
    [['nope', 'add']],
    [['help', 'nope']],
    [['help', 'kazoo_ips_maintenance', 'nope']],
    [['kazoo_ips_maintenance']],
    [['kazoo_ips_maintenance', 'nope']],
    [['kazoo_ips_maintenance', 'toString']],
    [['kazoo_ips_maintenance', 'add', '1.2.3.4']],
    [['kazoo_ips_maintenance', 'add', '1.2.3.4', 'zone', 'host', 'more']],
    [['kazoo_ips_maintenance', 'summary', 'host', 'more']],
  ])('does not know %j', async (args) => {
    expect(await runSup(args)).toEqual({ code: 1, stdout: '', stderr: WRONG });
  });

  it.each([
    [['--nope', 'help'], "sup: Unknown option '--nope'\n"],
    [['-t', '0', 'help'], 'sup: --timeout takes seconds, a number above 0 and up to 86400\n'],
    [['-t', 'x', 'help'], 'sup: --timeout takes seconds, a number above 0 and up to 86400\n'],
  ])('refuses the options of %j', async (args, stderr) => {
    expect(await runSup(args)).toEqual({ code: 1, stdout: '', stderr });
  });

  it('lists all faults of the configuration and ends with 3', async () => {
    const env = { COUCHDB_URL: 'nonsense', PORT: '99999' };
    expect(await runSup(['kazoo_ips_maintenance', 'summary'], { env })).toEqual({
      code: 3,
      stdout: '',
      stderr:
        'sup: The configuration is not valid:\n' +
        'sup:   - PORT: must be a whole number from 0 to 65535\n' +
        'sup:   - COUCHDB_URL: must be an http:// or https:// URL\n' +
        'sup:   - KEYRING: is required with COUCHDB_URL (or KEYRING_FILE)\n',
    });
  });
});

describe('sup and a store that does not answer', () => {
  const sockets = new Set<Socket>();
  const listener = createServer((socket) => sockets.add(socket));
  let env: Record<string, string> = {};

  beforeAll(async () => {
    await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
    const address = listener.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    env = {
      COUCHDB_URL: `http://admin:hidden-password@127.0.0.1:${port}`,
      KEYRING: generateKeyring(),
      COUCHDB_TIMEOUT_MS: '500',
    };
  });
  afterAll(() => {
    for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => listener.close(resolve));
  });

  it('ends with 3 after a while, and shows no password', async () => {
    const result = await runSup(['kazoo_ips_maintenance', 'refresh'], { env });
    expect(result).toMatchObject({ code: 3, stdout: '' });
    expect(result.stderr).toMatch(/sup: the store at 127\.0\.0\.1:\d+ does not answer\n$/);
    expect(result.stderr).not.toContain('hidden-password');
  });

  it('ends with 4 when the time that was given is over', async () => {
    const result = await runSup(['-t', '1', 'kazoo_ips_maintenance', 'refresh'], { env });
    expect(result).toMatchObject({ code: 4, stdout: '' });
    expect(result.stderr).toMatch(/sup: the time is over; the command is given up\n$/);
  });

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('ends at once on %s, with %i', async (signal, code) => {
    const killWhen = { stderr: 'trying on', signal };
    const result = await runSup(['kazoo_ips_maintenance', 'refresh'], { env, killWhen });
    expect(result).toMatchObject({ code, stdout: '' });
    expect(result.stderr).toMatch(/\nsup: interrupted\n$/);
  });
});
