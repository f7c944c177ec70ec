import { type CarrierSandbox, startSandbox } from '../support/carrier-sandbox.js';
import { startTestService, type TestService } from '../support/service.js';
import { HOSTED, preparations, type World } from './preparations.js';
import { readSamples, type Sample } from './read-samples.js';
import { faultsOf } from './shape.js';

const PAGES = ['test/pages/support.txt', 'test/pages/call-routing.txt'] as const;
/** The pages say in words how these are asked for, and print no request. */
const IN_WORDS: readonly string[] = [
  '/support/usage/unknown_numbers/{MONTH}',
  '/support/usage/audit/{MONTH}',
];

/** Where a page prints an answer that its own request cannot have: it sends an empty list. */
const SLIPS: Readonly<Record<string, string>> = {
  'Create the Routing Cluster document for your own Cluster':
    'the answer.data.ips.outbound.east: nothing in it to compare',
};

let sandbox: CarrierSandbox;
let service: TestService;
let world: World;

beforeAll(async () => {
  sandbox = await startSandbox({ hasDemoContent: true });
  service = await startTestService({ support: { dataDir: sandbox.dataDir } });
  world = { service, token: await service.tokenOf(1) };
  await service.services.support.usage.poll();
}, 60_000);
afterAll(async () => {
  await service?.stop();
  await sandbox?.stop();
});

/** Puts values in the place of placeholders; one that has none would reach the service as it is. */
function fill(text: string, values: Readonly<Record<string, string>>): string {
  return text.replace(/\{([A-Z_0-9]+)\}/g, (placeholder, name: string) => {
    const value = values[name];
    if (value === undefined) throw new Error(`no value for ${placeholder}`);
    return value;
  });
}

async function send(sample: Sample) {
  const prepared = await preparations[sample.title]?.(world);
  const values = { CLUSTER_ID: HOSTED, AUTH_TOKEN: world.token, ...prepared };
  const { body } = sample;
  return service.call(sample.method, fill(sample.path, values), {
    headers: Object.fromEntries(
      Object.entries(sample.headers).map(([name, value]) => [
        name.toLowerCase(),
        fill(value, values),
      ]),
    ),
    ...(body === undefined ? {} : { body: fill(body, values) }),
  });
}

describe.each(PAGES)('the samples of %s', (page) => {
  const samples = readSamples(page);

  test('are all of them read', () => {
    expect(samples.length).toBe(page.includes('support') ? 34 : 5);
  });

  test.each(samples.map((sample) => [sample.title, sample] as const))(
    '%s',
    async (_title, sample) => {
      const answer = await send(sample);
      expect({ status: answer.status, body: answer.body }).toEqual({
        status: sample.method === 'PUT' ? 201 : 200,
        body: expect.objectContaining({ status: 'success', request_id: expect.any(String) }),
      });
      expect(answer.body.auth_token).toBe(world.token);
      if (sample.answer === undefined) return;
      const {
        status: _status,
        request_id: _id,
        auth_token: _token,
        ...printed
      } = sample.answer as {
        [member: string]: unknown;
      };
      const slip = SLIPS[sample.title];
      const faults = faultsOf(printed, answer.body, 'the answer');
      expect(faults).toEqual(slip === undefined ? [] : [slip]);
    },
    30_000,
  );
});

describe('what the page says in words', () => {
  const month = new Date().toISOString().slice(0, 7).replace('-', '');

  test.each(IN_WORDS)('%s is a report of that month', async (path) => {
    const { token } = world;
    const one = await service.call('GET', `/v2${path.replace('{MONTH}', month)}`, { token });
    const same = await service.call('GET', `/v2${path.replace('/{MONTH}', '')}`, { token });
    expect(one.status).toBe(200);
    expect(one.body.data).toEqual(same.body.data);
  });

  test('the report of a month can be had as CSV', async () => {
    const answer = await fetch(`${service.url}/v2/support/usage/audit/${month}/csv`, {
      headers: { 'x-auth-token': world.token },
    });
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toBe('text/csv; charset=utf-8');
    const lines = (await answer.text()).split('\r\n');
    expect(lines[0]).toBe('account_id,mdn,usage');
    expect(lines.length).toBeGreaterThan(2);
  });
});
