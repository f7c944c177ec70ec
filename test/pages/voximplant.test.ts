import { readFileSync } from 'node:fs';
import { ADD, bodyOf, CHECK, DEL, type Fields, GET, networksOf, ONE } from '../support/platform.js';
import { callRaw } from '../support/raw-call.js';
import { startTestService, type TestService } from '../support/service.js';
import { faultsOf } from './shape.js';

const PAGE = 'test/pages/voximplant-authorized-ips.txt';
const HOST = 'https://api.voximplant.com';

/** A request that the page prints, with the answers below it and the words above each. */
interface Sample {
  readonly command: string;
  /** Host and all, as printed. */
  readonly url: string;
  readonly answers: readonly { readonly words: string; readonly body: unknown }[];
}

function readSamples(): readonly Sample[] {
  const lines = readFileSync(PAGE, 'utf8').split('\n');
  const samples: { command: string; url: string; answers: { words: string; body: unknown }[] }[] =
    [];
  let words = '';
  for (const [n, line] of lines.entries()) {
    if (line.startsWith(HOST)) {
      const command = /platform_api\/(\w+)/.exec(line)?.[1] ?? '';
      samples.push({ command, url: line.trim(), answers: [] });
    } else if (line === '{') {
      const end = lines.indexOf('}', n);
      const body: unknown = JSON.parse(lines.slice(n, end + 1).join('\n'));
      samples.at(-1)?.answers.push({ words, body });
    } else if (/^\S/.test(line)) {
      words = line;
    }
  }
  return samples;
}

const samples = readSamples();
const sampleOf = (command: string): Sample => {
  const found = samples.find((each) => each.command === command);
  if (found === undefined) throw new Error(`the page has no request for ${command}`);
  return found;
};

let service: TestService;

beforeAll(async () => {
  service = await startTestService();
});
afterAll(() => service.stop());

/** Sends a request as the page prints it, but to the service. */
async function send(command: string) {
  const path = sampleOf(command).url.slice(HOST.length);
  const answer = await callRaw(service.url, 'GET', path);
  expect([answer.status, answer.headers['content-type']]).toEqual([200, 'application/json']);
  return answer.body;
}

/** The lists of the page's account hold just these networks. */
async function prepare(networks: readonly Fields[]): Promise<void> {
  await bodyOf(service, DEL, { ...ONE, authorized_ip: 'all' });
  for (const network of networks) await bodyOf(service, ADD, { ...ONE, ...network });
}

test('every request and every answer of the page is read', () => {
  expect(samples.map(({ command, answers }) => [command, answers.length])).toEqual([
    [ADD, 1],
    [CHECK, 3],
    [DEL, 1],
    [GET, 1],
  ]);
  for (const { url } of samples) {
    expect(url).toContain(`account_id=${ONE.account_id}&api_key=${ONE.api_key}`);
  }
});

test('the list of the demo data is the one that the page prints', async () => {
  const [printed] = sampleOf(GET).answers;
  expect(await send(GET)).toEqual(printed?.body);
});

test('every request of the page gives its shape on the demo data as it is', async () => {
  const fresh = await startTestService();
  try {
    for (const { command, url, answers } of [GET, CHECK, ADD, DEL].map(sampleOf)) {
      const answer = await callRaw(fresh.url, 'GET', url.slice(HOST.length));
      expect([command, answer.status]).toEqual([command, 200]);
      const faults = answers.map(({ body }) => faultsOf(body, answer.body, command));
      expect(faults).toContainEqual([]);
    }
  } finally {
    await fresh.stop();
  }
});

test('adding gives the printed answer, and the network is there', async () => {
  await prepare([]);
  const [printed] = sampleOf(ADD).answers;
  expect(await send(ADD)).toEqual(printed?.body);
  expect(await networksOf(service, ONE)).toEqual(['92.255.220.0/24 true']);
});

test.each<readonly [string, readonly Fields[]]>([
  ['The IP is allowed.', [{ authorized_ip: '92.255.0.0/16' }]],
  ['The IP is forbidden.', [{ authorized_ip: '92.255.0.0/16', allowed: 'false' }]],
  ["The IP isn't allowed.", []],
])('testing gives the answer printed below "%s"', async (words, networks) => {
  await prepare(networks);
  const printed = sampleOf(CHECK).answers.find((answer) => answer.words === words);
  expect(await send(CHECK)).toEqual(printed?.body);
});

test('removing gives the printed answer, and the network is gone from its list', async () => {
  await prepare([{ authorized_ip: '92.255.220.0/24' }, { authorized_ip: '92.255.220.10' }]);
  const [printed] = sampleOf(DEL).answers;
  expect(await send(DEL)).toEqual(printed?.body);
  expect(await networksOf(service, ONE)).toEqual(['92.255.220.10 true']);
});

test('removing takes the network from all lists, as the page says', async () => {
  await prepare([
    { authorized_ip: '92.255.220.0/24' },
    { authorized_ip: '92.255.220.0/24', allowed: 'false' },
  ]);
  expect(await send(DEL)).toEqual({ result: 2 });
  expect(await networksOf(service, ONE)).toEqual([]);
});
