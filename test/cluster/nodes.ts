import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * A cluster of real CouchDB nodes to test on, from the environment:
 *
 *   COUCHDB_CLUSTER        URLs of its nodes with user and password, separated by commas
 *   COUCHDB_CLUSTER_STOP   a shell command that stops node %n (1, 2, …) and waits for its end
 *   COUCHDB_CLUSTER_KILL   the same the hard way, with SIGKILL
 *   COUCHDB_CLUSTER_START  a shell command that starts node %n
 */
const URLS = (process.env['COUCHDB_CLUSTER'] ?? '').split(',').filter((url) => url !== '');
const PATIENCE_MS = 60_000;

export interface ClusterNode {
  readonly n: number;
  /** With user and password, without a slash at its end. */
  readonly url: string;
  stop(): Promise<void>;
  kill(): Promise<void>;
  /** Resolves when the node answers and sees all the others. */
  start(): Promise<void>;
}

/** The nodes; none when there is no cluster to test on. */
export const nodes: readonly ClusterNode[] = URLS.map((text, at) => {
  const n = at + 1;
  const url = text.replace(/\/+$/, '');
  return {
    n,
    url,
    stop: () => run('COUCHDB_CLUSTER_STOP', n),
    kill: () => run('COUCHDB_CLUSTER_KILL', n),
    async start() {
      await run('COUCHDB_CLUSTER_START', n);
      await untilWhole();
    },
  };
});

export const isOnCluster = nodes.length > 0;

/** The name of a group of tests that needs a cluster: it says so where they are skipped. */
export function clusterTests(name: string): string {
  return isOnCluster ? name : `${name} (skipped: COUCHDB_CLUSTER is not set)`;
}

/** Resolves when every node is up and sees all of them. */
export async function untilWhole(): Promise<void> {
  await until('the cluster is whole', async () => {
    const members = await Promise.all(nodes.map(({ url }) => ask(url, '/_membership')));
    const isUp = await Promise.all(nodes.map(({ url }) => ask(url, '/_up')));
    return (
      members.every((each) => each['all_nodes']?.length === nodes.length) &&
      isUp.every((each) => each['status'] === 'ok')
    );
  });
}

/** Asks again until it is so. */
export async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const giveUpAt = Date.now() + PATIENCE_MS;
  while (!(await isSo().catch(() => false))) {
    if (Date.now() > giveUpAt) throw new Error(`it never came to be that ${what}`);
    await sleep(250);
  }
}

/** A GET at one node, past every proxy. */
// biome-ignore lint/suspicious/noExplicitAny: answers of CouchDB, looked at field by field.
export async function ask(url: string, path: string): Promise<any> {
  const { origin, username, password } = new URL(url);
  const login = Buffer.from(`${username}:${decodeURIComponent(password)}`).toString('base64');
  const answer = await fetch(`${origin}${path}`, { headers: { authorization: `Basic ${login}` } });
  return answer.json();
}

function run(variable: string, n: number): Promise<void> {
  const command = process.env[variable];
  if (!command) throw new Error(`${variable} is not set: the nodes cannot be stopped and started`);
  const child = spawn('sh', ['-c', command.replaceAll('%n', String(n))], { stdio: 'ignore' });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => {
      if (code === 0) resolve();
      else reject(new Error(`${variable} ended with ${code}`));
    });
  });
}
