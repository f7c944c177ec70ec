import { createHash } from 'node:crypto';
import { success, unauthenticated } from '../support/envelope.js';
import { callRaw } from '../support/raw-call.js';
import {
  CUSTOMER,
  MASTER,
  RESELLER,
  startTestService,
  type TestService,
} from '../support/service.js';

const ips = `/v2/accounts/${CUSTOMER}/ips`;

function basic(accountId: string, credentials: string): string {
  return `Basic ${Buffer.from(`${accountId}:${credentials}`).toString('base64')}`;
}

const ADMIN_MD5 = createHash('md5').update('admin:demo-password').digest('hex');

describe('where a request may carry what it says', () => {
  let service: TestService;
  let token: string;
  let other: string;

  beforeAll(async () => {
    service = await startTestService();
    token = await service.tokenOf(3);
    other = await service.tokenOf(2);
  });
  afterAll(() => service.stop());

  /** The account that the service takes the caller for. */
  async function whoIs(
    headers: Record<string, string>,
    query = '',
    body?: string,
  ): Promise<string | number> {
    const asked = body === undefined ? { headers } : { headers, body };
    const answer = await callRaw(service.url, 'GET', `/v2/token_auth${query}`, asked);
    if (answer.status !== 200) expect(answer.body).toEqual(unauthenticated());
    return answer.status === 200 ? answer.body.data.account_id : answer.status;
  }

  it('a token: in a header, in data, in the query, in the envelope, in Authorization', async () => {
    for (const [headers, query, body] of [
      [{ 'x-auth-token': token }],
      [{}, '', JSON.stringify({ data: { auth_token: token } })],
      [{}, `?auth_token=${token}`],
      [{}, '', JSON.stringify({ auth_token: token, data: {} })],
      [{}, '', JSON.stringify({ 'Auth-Token': token })],
      [{ authorization: `Bearer ${token}` }],
      [{ authorization: `bearer  ${token}` }],
      [{ authorization: token }],
      [{}, `?authorization=Bearer%20${token}`],
      [{}, '', JSON.stringify({ Authorization: `Bearer ${token}` })],
    ] as [Record<string, string>, string?, string?][]) {
      expect(await whoIs(headers, query, body)).toBe(CUSTOMER);
    }
  });

  it('the first place counts, even when what it holds is no good', async () => {
    const data = (text: string) => JSON.stringify({ data: { auth_token: text } });
    const root = (text: string) => JSON.stringify({ auth_token: text });
    expect(await whoIs({ 'x-auth-token': token }, `?auth_token=${other}`)).toBe(CUSTOMER);
    expect(await whoIs({ 'x-auth-token': 'bad' }, `?auth_token=${token}`)).toBe(401);
    expect(await whoIs({}, `?auth_token=${other}`, data(token))).toBe(CUSTOMER);
    expect(await whoIs({}, `?auth_token=${token}`, data('bad'))).toBe(401);
    expect(await whoIs({}, `?auth_token=${token}`, root(other))).toBe(CUSTOMER);
    expect(await whoIs({ authorization: `Bearer ${other}` }, '', root(token))).toBe(CUSTOMER);
    expect(await whoIs({ authorization: `Bearer ${token}` }, '?auth_token=bad')).toBe(401);
    const header = { authorization: `Bearer ${token}` };
    expect(await whoIs(header, `?authorization=Bearer%20${other}`)).toBe(CUSTOMER);
    expect(await whoIs({ 'x-auth-token': '', authorization: `Bearer ${token}` })).toBe(CUSTOMER);
  });

  it('Basic credentials are the account id and the md5 of user and password', async () => {
    const answer = await callRaw(service.url, 'GET', `/v2/accounts/${CUSTOMER}/ips`, {
      headers: { authorization: basic(MASTER, ADMIN_MD5) },
    });
    expect(answer.status).toBe(200);
    const { auth_token: _none, ...rest } = success([
      { ip: expect.any(String), zone: 'eu-central' },
    ]);
    expect(answer.body).toEqual(rest);
    for (const authorization of [
      basic(MASTER, 'f'.repeat(32)),
      basic(RESELLER, ADMIN_MD5),
      basic('f'.repeat(32), ADMIN_MD5),
      basic('..', ADMIN_MD5),
      basic('', ADMIN_MD5),
      basic(MASTER, ''),
      basic('admin', 'demo-password'),
      'Basic',
      'Basic %%%',
      'Basic Og==',
    ]) {
      const refused = await callRaw(service.url, 'GET', ips, { headers: { authorization } });
      expect([authorization, refused.status]).toEqual([authorization, 401]);
      expect(refused.body).toEqual(unauthenticated());
    }
  });

  it.each([
    ['an unsigned one', (text: string) => `${unsigned(text)}.`],
    ['one with a signature of its own', (text: string) => `${text.slice(0, -8)}AAAAAAAA`],
    ['one with other claims', (text: string) => withClaims(text, { account_id: MASTER })],
    ['one of a longer life', (text: string) => withClaims(text, { exp: 9_999_999_999 })],
    ['one without its signature', (text: string) => text.split('.').slice(0, 2).join('.')],
    ['one with more parts', (text: string) => `${text}.x`],
    ['a very long one', () => `${'a'.repeat(3000)}.${'b'.repeat(3000)}.c`],
    ['an account id', () => CUSTOMER],
  ])('a token that we did not sign is none: %s', async (_what, make) => {
    const headers = { 'x-auth-token': make(token) };
    expect(await whoIs(headers)).toBe(401);
    const answer = await callRaw(service.url, 'GET', ips, { headers });
    expect(answer.body).toEqual(unauthenticated());
  });

  it('X-Auth-Account-ID must name the account of the token', async () => {
    const named = (id: string) => ({ 'x-auth-token': token, 'x-auth-account-id': id });
    expect(await whoIs(named(CUSTOMER))).toBe(CUSTOMER);
    for (const id of [RESELLER, 'x', CUSTOMER.toUpperCase()]) {
      const answer = await callRaw(service.url, 'GET', ips, { headers: named(id) });
      expect(answer.status).toBe(401);
      expect(answer.body).toEqual(unauthenticated('token'));
    }
  });

  it('a token in data is no part of the document that is saved', async () => {
    const path = `/v2/accounts/${CUSTOMER}/users`;
    const names = { first_name: 'A', last_name: 'B' };
    const authorization = `Bearer ${token}`;
    const body = { data: { ...names, auth_token: token, authorization } };
    const created = await service.call('PUT', path, { body });
    expect(created.status).toBe(201);
    expect(JSON.stringify(created.body.data)).not.toContain(token);
    const read = await service.call('GET', `${path}/${created.body.data.id}`, { token });
    expect(JSON.stringify(read.body.data)).not.toContain(token);
  });

  it('POST stands for the verb that data, the query or the envelope names', async () => {
    const list = { ips: ['1.2.3.5'] };
    for (const [query, assign, release] of [
      ['', {}, { data: { ...list, verb: 'DELETE' } }],
      ['?verb=delete', {}, { data: list }],
      ['', {}, { verb: 'Delete', data: list }],
    ] as const) {
      const assigned = await service.call('POST', ips, { token, body: { ...assign, data: list } });
      expect(assigned.body.data.success['1.2.3.5'].status).toBe('assigned');
      const path = `${ips}${query}`;
      const released = await callRaw(service.url, 'POST', path, {
        token,
        body: JSON.stringify(release),
      });
      expect(released.status).toBe(200);
      expect(released.body.data.success['1.2.3.5'].status).toBe('available');
    }
    const listed = await callRaw(service.url, 'POST', `${ips}/zones?verb=GET`, { token });
    expect(listed.body).toEqual(success(['eu-central', 'us-east', 'us-west']));
    const refused = await callRaw(service.url, 'POST', `${ips}?verb=PATCH`, { token });
    expect(refused.status).toBe(405);
  });

  it('data is asked for a verb before the query, the query before the envelope', async () => {
    const body = JSON.stringify({ verb: 'DELETE', data: { verb: 'GET' } });
    const first = await callRaw(service.url, 'POST', `${ips}?verb=PUT`, { token, body });
    expect(first.body.data).toEqual([{ ip: expect.any(String), zone: 'eu-central' }]);
    const second = await callRaw(service.url, 'POST', `${ips}?verb=PUT`, {
      token,
      body: JSON.stringify({ verb: 'DELETE', data: {} }),
    });
    expect(second.status).toBe(403);
  });

  it('no verb but POST stands for another, and no word but a verb is one', async () => {
    await service.call('POST', `${ips}/1.2.3.6`, { token });
    for (const verb of ['DELETE', 'delete']) {
      const answer = await callRaw(service.url, 'GET', `${ips}/1.2.3.6?verb=${verb}`, { token });
      expect(answer.body.data).toMatchObject({ ip: '1.2.3.6', assigned_to: CUSTOMER });
    }
    for (const verb of ['TRACE', 'constructor', 'HEAD', 'OPTIONS', '']) {
      const answer = await callRaw(service.url, 'POST', `${ips}?verb=${verb}`, { token });
      expect(answer.body).toEqual(success({ success: {}, error: {} }));
    }
    await service.call('DELETE', `${ips}/1.2.3.6`, { token });
  });

  it('pretty_print may be asked for in a header, data, the query or the envelope', async () => {
    for (const [headers, query, body] of [
      [{ 'x-pretty-print': 'true' }],
      [{}, '?pretty_print=true'],
      [{}, '', '{"data": {"pretty_print": true}}'],
      [{}, '', '{"Pretty-Print": "true"}'],
    ] as [Record<string, string>, string?, string?][]) {
      const asked = body === undefined ? { token, headers } : { token, headers, body };
      const path = `${ips}/zones${query ?? ''}`;
      const { text, body: parsed } = await callRaw(service.url, 'GET', path, asked);
      expect(text).toBe(JSON.stringify(parsed, null, 2));
    }
    const plain = await callRaw(service.url, 'GET', `${ips}/zones?pretty_print=false`, { token });
    expect(plain.text).toBe(JSON.stringify(plain.body));
    const error = await callRaw(service.url, 'GET', `${ips}?quantity=0&pretty_print=true`, {
      token,
    });
    expect(error.text).toBe(JSON.stringify(error.body, null, 2));
  });
});

type Claims = Readonly<Record<string, unknown>>;

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

function unsigned(text: string): string {
  return `${encode({ alg: 'none', typ: 'JWT' })}.${text.split('.')[1] ?? ''}`;
}

function withClaims(text: string, claims: Claims): string {
  const [head = '', payload = '', signature = ''] = text.split('.');
  const before = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')) as Claims;
  return [head, encode({ ...before, ...claims }), signature].join('.');
}
