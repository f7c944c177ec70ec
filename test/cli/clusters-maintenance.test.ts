import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { databases } from '../../src/couch/databases.js';
import { type KazooCluster, startKazooCluster } from '../support/kazoo-cluster.js';
import { MASTER, startTestService, type TestService } from '../support/service.js';
import { runSup, sharedStore } from './run-sup.js';

const OWN = '8a901bea1d3297ef7d4c8d34809472c2';
const SANDBOX = 'aa2b36ac6a5edb290159cd1298283322';
const KEY = 'a-key-that-nobody-may-read';
const API_URL = 'https://kazoo.example.com:8443';
const FOREIGN_MASTER = 'ffffffffffffffffffffffffffffff01';

let service: TestService;
let kazoo: KazooCluster;
let folder: string;
let count = 0;

const newId = () => {
  count += 1;
  return count.toString(16).padStart(32, 'c');
};
const sup = (args: readonly string[], stdin = '', env: Record<string, string> = {}) =>
  runSup(['clusters_maintenance', ...args], {
    env: sharedStore(service.dbPrefix, service.keyring, env),
    stdin,
  });
const create = (id: string, apiUrl = API_URL) =>
  sup(['create_cluster', id, '2600hz', apiUrl, MASTER], `${KEY}\n`, PRIVATE);
const PRIVATE = { ALLOW_PRIVATE_CLUSTERS: 'true', CLUSTER_TIMEOUT_MS: '500' };

beforeAll(async () => {
  service = await startTestService();
  kazoo = await startKazooCluster();
  kazoo.addKey(KEY, FOREIGN_MASTER);
  folder = await mkdtemp(join(tmpdir(), 'telcouch-keys-'));
});
afterAll(async () => {
  await service.stop();
  await kazoo.close();
  await rm(folder, { recursive: true, force: true });
});

describe('sup clusters_maintenance', () => {
  it('lists the clusters, and says which is our own and the Master Cluster', async () => {
    const { code, stdout, stderr } = await sup(['list_clusters']);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout.split('\n').map((line) => line.split(/ {2,}/))).toEqual([
      ['Cluster', 'MVNO', 'Address', 'Billed account', 'Is'],
      [OWN, '2600hz', 'https://hosted.kazoo.example.com:8443', MASTER, 'own, Master Cluster'],
      [SANDBOX, '2600hz_sandbox', 'https://sandbox.kazoo.example.com:8443', MASTER, '-'],
      [''],
    ]);
    const told = JSON.parse((await sup(['list_clusters', '--json'])).stdout);
    expect([told.own, told.master, told.clusters.length]).toEqual([OWN, OWN, 2]);
  });

  it('adds a cluster whose key comes by a pipe or a file, and shows it sealed', async () => {
    const file = join(folder, 'key');
    await writeFile(file, `${KEY}\n`);
    const [byPipe, byFile] = [newId(), newId()];
    expect(await create(byPipe)).toEqual({
      code: 0,
      stdout: `created cluster ${byPipe}\n`,
      stderr: '',
    });
    const more = await sup(['create_cluster', byFile, '2600hz', API_URL, '--key-file', file]);
    expect([more.code, more.stderr]).toEqual([0, '']);
    for (const id of [byPipe, byFile]) {
      const doc = await service.couch.database(databases.clusters).get(id);
      const sealed = String(doc['pvt_api_key']);
      expect(service.services.secrets.box.open(sealed, id, 'pvt_api_key')).toBe(KEY);
      const shown = JSON.parse((await sup(['show_cluster', id, '--json'])).stdout);
      expect(shown).toEqual({
        id,
        mvno_id: '2600hz',
        api_url: API_URL,
        api_key: sealed,
        ...(id === byPipe ? { hosted_billing_account_id: MASTER } : {}),
      });
    }
  });

  it('tells all faults of a new cluster, without its key, and adds nothing', async () => {
    const id = newId();
    const args = ['create_cluster', id, 'nobody', 'http://127.0.0.1', 'x'];
    const { code, stdout, stderr } = await sup(args, 'a key with spaces\n');
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr.split('\n').sort()).toEqual([
      '',
      expect.stringMatching(/^sup: api_key: Failed to match pattern/),
      'sup: api_url: must not have a private address',
      expect.stringMatching(/^sup: hosted_billing_account_id: Failed to match pattern/),
      'sup: mvno_id: there is no such MVNO',
    ]);
    expect(stderr).not.toContain('with spaces');
    expect(await service.couch.database(databases.clusters).find(id)).toBeUndefined();
  });

  it.each([
    ['a file that is not there', 'nowhere', 'cannot be read (ENOENT)'],
    ['an empty file', 'empty', 'is empty'],
    ['a file that is no key', 'large', 'is over 8192 bytes'],
  ])('takes no key from %s', async (_what, name, fault) => {
    const file = join(folder, name);
    if (name === 'empty') await writeFile(file, '\n');
    if (name === 'large') await writeFile(file, 'x'.repeat(10_000));
    const args = ['create_cluster', newId(), '2600hz', API_URL, '--key-file', file];
    expect(await sup(args)).toEqual({ code: 2, stdout: '', stderr: `sup: ${file} ${fault}\n` });
  });

  it('deletes a cluster, but not the Master Cluster, and not twice', async () => {
    const id = newId();
    await create(id);
    expect((await sup(['delete_cluster', id])).stdout).toBe(`deleted cluster ${id}\n`);
    expect(await sup(['delete_cluster', id])).toEqual({
      code: 2,
      stdout: '',
      stderr: 'sup: no such cluster\n',
    });
    expect(await sup(['delete_cluster', OWN])).toEqual({
      code: 2,
      stdout: '',
      stderr: 'sup: the Master Cluster cannot be deleted\n',
    });
    expect((await sup(['show_cluster', OWN])).code).toBe(0);
  });

  it('adds no cluster over another', async () => {
    expect((await create(SANDBOX)).code).toBe(2);
    const doc = await service.couch.database(databases.clusters).get(SANDBOX);
    expect(doc['pvt_api_url']).toBe('https://sandbox.kazoo.example.com:8443');
  });

  it('tries a cluster and says which account its key is of', async () => {
    const id = newId();
    await create(id, kazoo.url);
    expect(await sup(['check_cluster', id], '', PRIVATE)).toEqual({
      code: 0,
      stdout: `cluster ${id} answers; its master account is ${FOREIGN_MASTER}\n`,
      stderr: '',
    });
  });

  it('tries a cluster and says what is wrong with it', async () => {
    const id = newId();
    await create(id, kazoo.url);
    const fault = async (env: Record<string, string> = PRIVATE) => {
      const { code, stdout, stderr } = await sup(['check_cluster', id], '', env);
      expect([code, stderr]).toEqual([2, '']);
      expect(stdout).not.toContain(KEY);
      return stdout.replace(`cluster ${id} cannot be used: `, '').trim();
    };
    expect(await fault({})).toBe(
      'the cluster cannot be reached: its address must not have a private address',
    );
    kazoo.behave((_asked, response) => response.writeHead(404).end('{}'));
    expect(await fault()).toBe('the cluster does not take the API key');
    kazoo.behave((_asked, response) => response.writeHead(500).end());
    expect(await fault()).toBe('the cluster cannot be reached: it answers with status 500');
    kazoo.behave((_asked, response) => response.writeHead(200).end('hello'));
    expect(await fault()).toBe(
      'the cluster cannot be reached: it answers something that is no answer to the question',
    );
    kazoo.behave(() => undefined);
    expect(await fault()).toMatch(/^the cluster cannot be reached: it does not answer: /);
    await kazoo.close();
    expect(await fault()).toMatch(/ECONNREFUSED/);
  });
});
