import { execFile, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { runSup } from '../cli/run-sup.js';
import { startTestService, type TestService } from '../support/service.js';

/** Splits what a section prints where each call of curl begins. */
const MARK = '--- curl ---';
const README = readFileSync('README.md', 'utf8');
const hasCurl = spawnSync('curl', ['--version']).status === 0;
const run = promisify(execFile);

/** The blocks of shell in a section of the README. */
function shellOf(heading: string): readonly string[] {
  const start = README.indexOf(`\n## ${heading}\n`);
  if (start === -1) throw new Error(`the README has no section "${heading}"`);
  const end = README.indexOf('\n## ', start + 1);
  const section = README.slice(start, end === -1 ? undefined : end);
  return [...section.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, block]) => String(block));
}

const callsOf = (heading: string) => shellOf(heading).filter((text) => /^curl /m.test(text));

/** The bodies of all answers, in their order; headers that a call shows are left out. */
async function runCalls(heading: string, service: TestService) {
  const { port } = new URL(service.url);
  const script = [
    'SERVER=127.0.0.1',
    `curl() { echo "${MARK}"; command curl -sS --fail-with-body "$@"; echo; }`,
    ...callsOf(heading).map((block) => block.replaceAll(':8000', `:${port}`)),
  ].join('\n');
  const { stdout } = await run('bash', ['-euo', 'pipefail', '-c', script]);
  return stdout
    .split(`${MARK}\n`)
    .slice(1)
    .map((text) => JSON.parse(text.slice(text.indexOf('{'))));
}

describe('the samples of the README, on the demo data', () => {
  let service: TestService;

  beforeAll(async () => {
    service = await startTestService();
  });
  afterAll(() => service?.stop());

  (hasCurl ? test : test.skip)("of Voximplant's page are answered as they say", async () => {
    const answers = await runCalls("The samples of Voximplant's page", service);
    expect(answers).toEqual([
      { result: 1 },
      { result: true, authorized_ip: '92.255.220.0/24' },
      {
        count: 2,
        total_count: 2,
        result: [
          { allowed: 'true', created: '2015-02-01 20:10:15', authorized_ip: '92.255.220.0/24' },
          { allowed: 'false', created: '2015-02-01 20:10:17', authorized_ip: '92.255.220.10' },
        ],
      },
      { result: 1 },
      { result: 1 },
    ]);
  });

  (hasCurl ? test : test.skip)('of the SIP accounts page are answered as they say', async () => {
    const answers = await runCalls('The samples of the SIP accounts page', service);
    const [all, patched, chosen, customers] = answers;
    expect(answers).toHaveLength(4);
    expect(all.meta.record_count).toBeGreaterThan(120);
    expect(all.data).toHaveLength(50);
    expect(patched.data).toMatchObject({
      id: 'c1c798dc-ee42-462e-8fca-0fa96d6fe3c0',
      attributes: { use_allowed_ips: true, allowed_ips: '127.0.0.1/32' },
    });
    expect(chosen.data).toHaveLength(10);
    for (const { attributes } of chosen.data) {
      expect(Object.keys(attributes).sort()).toEqual(['allowed_ips', 'username']);
    }
    expect(customers.data.map(({ id }: { id: string }) => id)).toEqual(['1001', '1002']);
  });
});

describe('the maintenance commands of the README', () => {
  const lines = README.split('\n').filter((line) => line.startsWith('npx sup '));
  const named = lines.map((line) => line.split(/\s+/).slice(2, 4).join(' '));

  test('are there, by the names that it has', async () => {
    expect(named.length).toBeGreaterThan(20);
    for (const name of new Set(named)) {
      const { code, stdout } = await runSup(['help', ...name.split(' ')]);
      expect([name, code]).toEqual([name, 0]);
      expect(stdout).toContain(name);
    }
  }, 120_000);
});
