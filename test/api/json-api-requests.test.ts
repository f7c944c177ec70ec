import { basic, DEMO_LOGIN, faultOf, LIST, MEDIA_TYPE, PAGE_ID } from '../support/json-api.js';
import { callRaw, type RawCall } from '../support/raw-call.js';
import { startTestService, type TestService } from '../support/service.js';

const ONE = `${LIST}/${PAGE_ID}`;
const CUSTOMERS = LIST.replace('sip_device_routes', 'customers');

let service: TestService;

beforeAll(async () => {
  service = await startTestService();
});
afterAll(() => service.stop());

/** As the demo operator unless the headers say otherwise; tells the media type as well. */
async function call(method: string, path: string, options: RawCall = {}) {
  const headers = { authorization: DEMO_LOGIN, ...options.headers };
  const answer = await callRaw(service.url, method, path, { ...options, headers });
  return { ...answer, type: answer.headers['content-type'] };
}

const UNAUTHORIZED = faultOf(
  401,
  '401',
  'Unauthorized',
  'A valid user name and password are required.',
);
const NOTHING_HERE = faultOf(404, '404', 'Not found', 'There is nothing at this address.');
const WRONG_TYPE = faultOf(
  415,
  '415',
  'Unsupported media type',
  "The body must be 'application/vnd.api+json' without media type parameters.",
);
const UNACCEPTABLE = faultOf(
  406,
  '406',
  'Not acceptable',
  "All requests must use the 'application/vnd.api+json' Accept without media type parameters.",
);
const WRONG_METHOD = faultOf(
  405,
  '405',
  'Method not allowed',
  'This address does not take this method.',
);

describe('who is let in', () => {
  test.each([
    ['nothing', undefined],
    ['another scheme', 'Bearer abc'],
    ['Basic without credentials', 'Basic'],
    ['Basic with what is no base64', 'Basic ***'],
    [
      'Basic with bytes that are no text',
      `Basic ${Buffer.from([0xff, 0x3a, 0x41]).toString('base64')}`,
    ],
    ['a name without a colon', `Basic ${Buffer.from('username').toString('base64')}`],
    ['no name', basic('', 'password')],
    ['a wrong password', basic('username', 'Password')],
    ['an unknown user', basic('nobody', 'password')],
    ['an empty password', basic('username', '')],
    ['a name that is a path', basic('../_all_docs', 'password')],
    ['a design document', basic('_design/x', 'password')],
  ])('is not who sends %s, whatever else is wrong with the request', async (_what, login) => {
    const headers = login === undefined ? {} : { authorization: login };
    for (const [method, path] of [
      ['GET', LIST],
      ['DELETE', `${LIST}/nothing?x=y`],
      ['GET', LIST.replace('sip', 'no')],
    ] as const) {
      const answer = await callRaw(service.url, method, path, {
        headers: { ...headers, accept: `${MEDIA_TYPE};a=b`, 'content-type': `${MEDIA_TYPE};a=b` },
      });
      expect([answer.status, answer.headers['content-type'], answer.body]).toEqual([
        401,
        MEDIA_TYPE,
        { errors: [UNAUTHORIZED] },
      ]);
      expect(answer.headers['www-authenticate']).toBe('Basic realm="telcouch", charset="UTF-8"');
    }
  });

  test('the name of the scheme may be written in any case', async () => {
    const lower = DEMO_LOGIN.replace('Basic', 'basic');
    expect((await call('GET', ONE, { headers: { authorization: lower } })).status).toBe(200);
  });
});

describe('media types', () => {
  test.each([
    `${MEDIA_TYPE}; charset=utf-8`,
    `${MEDIA_TYPE};ext="a,b"`,
    `Application/Vnd.Api+Json ; profile=x`,
  ])('a content type %s is refused whatever the method', async (type) => {
    for (const method of ['GET', 'PATCH', 'DELETE']) {
      const answer = await call(method, ONE, { headers: { 'content-type': type } });
      expect([answer.status, answer.type, answer.body]).toEqual([
        415,
        MEDIA_TYPE,
        { errors: [WRONG_TYPE] },
      ]);
    }
  });

  test('a PATCH says that it is JSON:API; a GET need not', async () => {
    for (const headers of [{}, { 'content-type': 'application/json' }, { 'content-type': 'x' }]) {
      const patched = await call('PATCH', ONE, { headers, body: '{}' });
      expect([patched.status, patched.body]).toEqual([415, { errors: [WRONG_TYPE] }]);
      expect((await call('GET', ONE, { headers })).status).toBe(200);
    }
    const upper = { 'content-type': 'APPLICATION/VND.API+JSON' };
    expect((await call('PATCH', ONE, { headers: upper, body: '{}' })).status).toBe(400);
  });

  test('a compressed body is none that is taken', async () => {
    const headers = { 'content-type': MEDIA_TYPE, 'content-encoding': 'gzip' };
    const answer = await call('PATCH', ONE, { headers, body: 'x' });
    expect([answer.status, answer.body]).toEqual([415, { errors: [WRONG_TYPE] }]);
  });

  test.each([
    `${MEDIA_TYPE}; charset=utf-8`,
    `${MEDIA_TYPE};a=b, ${MEDIA_TYPE};c=d`,
    `text/html, ${MEDIA_TYPE};ext="x, ${MEDIA_TYPE}"`,
    `${MEDIA_TYPE};q=0.5;charset=utf-8`,
  ])('a client that accepts %s only is refused', async (accept) => {
    const answer = await call('GET', LIST, { headers: { accept } });
    expect([answer.status, answer.type, answer.body]).toEqual([
      406,
      MEDIA_TYPE,
      { errors: [UNACCEPTABLE] },
    ]);
  });

  test.each([
    MEDIA_TYPE,
    '*/*',
    'application/json',
    'text/html',
    `${MEDIA_TYPE};q=0.5`,
    `${MEDIA_TYPE};a=b, ${MEDIA_TYPE}`,
    `${MEDIA_TYPE};ext="a\\",b", ${MEDIA_TYPE};q=0.1`,
    ',,;',
  ])('a client that accepts %s is answered without any parameter', async (accept) => {
    const answer = await call('GET', LIST, { headers: { accept } });
    expect([answer.status, answer.type, answer.headers['vary']]).toEqual([
      200,
      MEDIA_TYPE,
      'Accept',
    ]);
  });
});

describe('paths and methods', () => {
  test.each([
    LIST.replace('sip_device_routes', ''),
    LIST.replace('sip_device_routes', 'SIP_device_routes'),
    LIST.replace('sip_device_routes', 'gateways'),
    LIST.replace('sip_device_routes', '__proto__'),
    `${ONE}/relationships/customer`,
    `${LIST}//`,
    `${LIST}/%`,
    `${LIST}/%c0%80`,
  ])('%s is nothing', async (path) => {
    const answer = await call('GET', path);
    expect([answer.status, answer.type, answer.body]).toEqual([
      404,
      MEDIA_TYPE,
      { errors: [NOTHING_HERE] },
    ]);
  });

  test.each([
    'nothing',
    '00000000-0000-0000-0000-000000000000',
    PAGE_ID.replaceAll('-', ''),
    `${PAGE_ID}0`,
    '_design',
    '%2e%2e',
    '..%2f..%2f_users',
    '%00',
  ])('there is no SIP account %s', async (id) => {
    const answer = await call('GET', `${LIST}/${id}`);
    const text = `The record identified by ${decodeURIComponent(id)} could not be found.`;
    expect([answer.status, answer.body]).toEqual([
      404,
      { errors: [faultOf(404, '404', 'Record not found', text)] },
    ]);
  });

  test('an id may be written in upper case, and a path may end with a slash', async () => {
    const plain = await call('GET', ONE);
    expect((await call('GET', ONE.replace(PAGE_ID, PAGE_ID.toUpperCase()))).body).toEqual(
      plain.body,
    );
    expect((await call('GET', `${ONE}/`)).body).toEqual(plain.body);
    expect((await call('GET', `${LIST}/`)).status).toBe(200);
  });

  test('other methods are told which ones there are', async () => {
    for (const [path, allowed, refused] of [
      [LIST, 'GET, HEAD', ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'REPORT']],
      [ONE, 'GET, HEAD, PATCH', ['POST', 'PUT', 'DELETE', 'OPTIONS', 'PROPFIND']],
      [`${CUSTOMERS}/1001`, 'GET, HEAD', ['PATCH', 'DELETE']],
    ] as const) {
      for (const method of refused) {
        const headers = { 'content-type': MEDIA_TYPE };
        const answer = await call(method, path, { headers });
        expect([method, answer.status, answer.headers['allow'], answer.body]).toEqual([
          method,
          405,
          allowed,
          { errors: [WRONG_METHOD] },
        ]);
      }
    }
  });

  test('HEAD is GET without its body, and a known answer is not sent again', async () => {
    const got = await call('GET', ONE);
    const head = await call('HEAD', ONE);
    expect([head.status, head.text, head.headers['content-length']]).toEqual([
      200,
      '',
      got.headers['content-length'],
    ]);
    const tag = String(got.headers['etag']);
    expect(head.headers['etag']).toBe(tag);
    for (const known of [tag, `W/${tag}`, `"x", ${tag}`, '*']) {
      const again = await call('GET', ONE, { headers: { 'if-none-match': known } });
      expect([known, again.status, again.text, again.headers['etag']]).toEqual([
        known,
        304,
        '',
        tag,
      ]);
    }
    expect((await call('GET', ONE, { headers: { 'if-none-match': '"x"' } })).status).toBe(200);
  });

  test('a request id is given back, and nothing tells of the machinery', async () => {
    const answer = await call('GET', LIST, { headers: { 'x-request-id': 'mine-1' } });
    expect(answer.headers).toMatchObject({
      'x-request-id': 'mine-1',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    });
    expect(Object.keys(answer.headers)).not.toContain('x-powered-by');
  });
});
