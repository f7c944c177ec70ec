import { readFileSync } from 'node:fs';
import { callRaw } from '../support/raw-call.js';
import { startTestService, type TestService } from '../support/service.js';

const PAGE = readFileSync('test/pages/sip-accounts.txt', 'utf8').split('\n');
/** What the page's links begin with, and what ours do in tests. */
const PAGES_HOST = 'https://api.telecom.center';
const OUR_HOST = 'http://telcouch.test';

/** The JSON that begins in the first line from `start` on that is a brace, up to its own end. */
function jsonAfter(start: number): unknown {
  const first = PAGE.findIndex((line, n) => n >= start && line === '{');
  let depth = 0;
  const count = PAGE.slice(first).findIndex((line) => {
    depth += line.split(/[{[]/).length - line.split(/[}\]]/).length;
    return depth === 0;
  });
  return JSON.parse(PAGE.slice(first, first + count + 1).join('\n'));
}

/** A request as the page prints it in HTTP: method, path, headers, and a body where it has one. */
function httpSample(start: number) {
  const line = PAGE.findIndex((text, n) => n >= start && / HTTP\/1\.1$/.test(text));
  const [method = '', path = ''] = (PAGE[line] ?? '').split(' ');
  const headers: Record<string, string> = {};
  let n = line + 1;
  for (; /^[A-Z][A-Za-z-]+: /.test(PAGE[n] ?? ''); n += 1) {
    const [, name = '', value = ''] = /^([\w-]+): (.*)$/.exec(PAGE[n] ?? '') ?? [];
    if (name !== 'Host') headers[name.toLowerCase()] = value;
  }
  return { method, path, headers, body: PAGE[n] === '{' ? jsonAfter(n) : undefined };
}

/** The same request as the page's line for curl. */
function curlSample(start: number) {
  const line = PAGE.find((text, n) => n >= start && text.startsWith('curl ')) ?? '';
  const user = /--user (\S+)/.exec(line)?.[1] ?? '';
  const headers = [...line.matchAll(/-H '([^:]+): ([^']+)'/g)];
  return {
    method: /-X (\w+)/.exec(line)?.[1] ?? 'GET',
    path: new URL(/(https:\S+)/.exec(line)?.[1] ?? '').pathname,
    headers: {
      ...Object.fromEntries(
        headers.map(([, name = '', value = '']) => [name.toLowerCase(), value]),
      ),
      authorization: `Basic ${Buffer.from(user).toString('base64')}`,
    },
    body: JSON.parse(/--data-raw '([^']*)'/.exec(line)?.[1] ?? 'null') ?? undefined,
  };
}

function answerAfter(start: number): unknown {
  const line = PAGE.findIndex((text, n) => n >= start && text.startsWith('HTTP/2 200'));
  const text = JSON.stringify(jsonAfter(line));
  return JSON.parse(text.replaceAll(PAGES_HOST, OUR_HOST));
}

const GET_AT = PAGE.indexOf('Request and Response examples:');
const PATCH_AT = PAGE.indexOf('Request and Response examples:', GET_AT + 1);

let service: TestService;

beforeAll(async () => {
  service = await startTestService();
});
afterAll(() => service.stop());

type Sample = ReturnType<typeof httpSample>;

async function send({ method, path, headers, body }: Sample) {
  const answer = await callRaw(service.url, method, path, {
    headers: headers as Record<string, string>,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  expect([answer.status, answer.headers['content-type']]).toEqual([
    200,
    'application/vnd.api+json',
  ]);
  return answer.body;
}

describe('the SIP accounts page', () => {
  test.each([
    ['HTTP', httpSample],
    ['curl', curlSample],
  ] as const)('lists as it prints, asked as its %s sample', async (_name, read) => {
    const sample = read(GET_AT);
    expect([sample.method, sample.path]).toEqual([
      'GET',
      '/api/rest/public/operator/sip_device_routes',
    ]);
    const printed = answerAfter(GET_AT) as { data: unknown[]; links: { first: string } };
    const { data, meta, links } = await send(sample);
    expect(data[0]).toEqual(printed.data[0]);
    expect(data).toHaveLength(50);
    expect(meta).toEqual({ record_count: 131 });
    expect(links).toEqual({
      first: printed.links.first,
      next: printed.links.first.replace('D=1', 'D=2'),
      last: printed.links.first.replace('D=1', 'D=3'),
    });
  });

  it('prints the whole answer where there is no other SIP account', async () => {
    const sample = httpSample(GET_AT);
    const printed = answerAfter(GET_AT) as { links: object };
    const id = 'c1c798dc-ee42-462e-8fca-0fa96d6fe3c0';
    const only = await send({ ...sample, path: `${sample.path}?filter[id]=${id}` });
    expect(only).toEqual({ ...printed, links: expect.anything() });
    expect(Object.keys(only)).toEqual(Object.keys(printed));
    expect(Object.keys(only.links)).toEqual(Object.keys(printed.links));
  });

  it('shows one as the list does', async () => {
    const sample = httpSample(GET_AT);
    const id = 'c1c798dc-ee42-462e-8fca-0fa96d6fe3c0';
    const { data } = answerAfter(GET_AT) as { data: unknown[] };
    expect(await send({ ...sample, path: `${sample.path}/${id}` })).toEqual({ data: data[0] });
  });

  test.each([
    ['HTTP', httpSample],
    ['curl', curlSample],
  ] as const)('updates as it prints, asked as its %s sample', async (_name, read) => {
    const sample = read(PATCH_AT);
    expect([sample.method, sample.body]).toEqual(['PATCH', expect.anything()]);
    expect(await send(sample)).toEqual(answerAfter(PATCH_AT));
  });
});
