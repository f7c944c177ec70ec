import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { newKeyPair } from '../support/platform.js';
import { startTestService, type TestService } from '../support/service.js';
import { runSup, sharedStore } from './run-sup.js';

let service: TestService;
let folder: string;

beforeAll(async () => {
  service = await startTestService();
  folder = await mkdtemp(join(tmpdir(), 'telcouch-refusals-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
  await service.stop();
});

const sup = (args: readonly string[]) =>
  runSup(['platform_maintenance', ...args], {
    env: sharedStore(service.dbPrefix, service.keyring),
  });

describe('sup platform_maintenance', () => {
  it('refuses files that hold no good key, and ids that are none', async () => {
    const files = {
      weak: newKeyPair(1024).publicKey,
      text: 'not a key',
      long: 'x'.repeat(20_000),
    };
    for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
    const at = (name: string) => join(folder, name);
    const cases: readonly (readonly [string, string, string])[] = [
      ['good', at('weak'), 'the key must be RSA of at least 2048 bits'],
      ['good', at('text'), 'not a public key in PEM'],
      ['good', at('long'), `${at('long')} is over 16384 bytes`],
      ['good', at('absent'), `${at('absent')} cannot be read (ENOENT)`],
      ['good', folder, `${folder} cannot be read (EISDIR)`],
      ['not good', at('weak'), 'a key id is 1 to 64 letters, digits, - and _'],
      ['__proto__', at('weak'), 'a key id is 1 to 64 letters, digits, - and _'],
    ];
    for (const [id, path, message] of cases) {
      const result = await sup(['add_key', '1', id, path]);
      expect(result).toEqual({ code: 2, stdout: '', stderr: `sup: ${message}\n` });
    }
  });

  it.each<readonly [readonly string[], number, string]>([
    [['create_account', 'rubbish'], 2, 'rubbish is no account id'],
    [['create_api_key', '999'], 2, 'there is no platform account 999'],
    [['create_api_key', 'one'], 2, 'one is no platform account id: it is a number'],
    [['create_api_key', '01'], 2, '01 is no platform account id: it is a number'],
    [['list_keys', '-0'], 1, ''],
    [['list_keys', '0'], 2, '0 is no platform account id: it is a number'],
    [['revoke_key', '1', 'toString'], 2, 'platform account 1 has no key toString'],
    [['set_allowed_type', '1', 'number'], 2, 'the type is string or boolean'],
    [['set_email', '1', 'nobody'], 2, 'not an email address'],
    [['set_name', '1', 'two words'], 2, 'an account name is up to 63 letters, digits, . - and _'],
    [['enforce_authorized_ips', '1', 'maybe'], 2, 'the state is on or off'],
    [['create_api_key'], 1, ''],
    [['add_key', '1', 'x'], 1, ''],
    [['nothing'], 1, ''],
  ])('%j ends with %i', async (args, code, message) => {
    const result = await sup(args);
    if (code === 1) expect([result.code, result.stdout + result.stderr]).not.toEqual([1, '']);
    else expect(result).toEqual({ code, stdout: '', stderr: `sup: ${message}\n` });
    expect(result.code).toBe(code);
  });
});
