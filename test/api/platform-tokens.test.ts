import { createHmac } from 'node:crypto';
import {
  ACCOUNT_OF,
  ADD,
  addServiceKey,
  ask,
  bearer,
  bodyOf,
  CHECK,
  type Fields,
  failure,
  multipart,
  newKeyPair,
  ONE,
  REFUSED,
  rsaSign,
  TWO,
  tokenWith,
} from '../support/platform.js';
import { callRaw } from '../support/raw-call.js';
import { startTestService, type TestService } from '../support/service.js';

const IP = { authorized_ip: '198.51.100.7' };
const NOTHING = { result: false };
const HOUR_S = 3_600;

let service: TestService;
let own: { key_id: string; private_key: string; account_id: number; account_email: string };
let other: typeof own;
/** Public half of a key that the test has made, and its id. */
const made = { id: 'made-elsewhere', ...newKeyPair() };

beforeAll(async () => {
  service = await startTestService();
  own = await addServiceKey(service, '1');
  other = await addServiceKey(service, '2');
  await service.services.platform.accounts.addPublicKey('1', made.id, made.publicKey);
});
afterAll(() => service.stop());

const nowS = () => Math.floor(Date.now() / 1000);
type Json = Readonly<Record<string, unknown>>;

/** A token as the Node SDK makes it, but for what is said otherwise. */
function token(payload: Json = {}, header: Json = {}, sign = rsaSign(own.private_key)): string {
  const iat = nowS();
  return tokenWith(
    { alg: 'RS256', typ: 'JWT', kid: own.key_id, ...header },
    { iss: 1, iat, exp: iat + 64, ...payload },
    sign,
  );
}

const check = (text: string, fields: Fields = {}) =>
  bodyOf(service, CHECK, { ...IP, ...fields }, bearer(text));

const FORMAT = failure(447, 'Invalid token format.', 'the token is no JWT with kid and iss');
const NO_EXP = failure(447, 'Invalid token format.', 'the token has no exp');
const EXPIRED = failure(456, 'The token has expired.', 'the token has expired');
const FUTURE = failure(
  455,
  'Token issued in the future.',
  "the token's iat or nbf lies in the future",
);
const TTL = failure(
  454,
  'The token TTL exceeds the maximum limit.',
  'a token is in force for 3600 s at most',
);

describe("a service account's token", () => {
  it.each<readonly [string, () => string, Fields]>([
    ['node: iss a number, 64 s', () => token(), {}],
    ['python: 5 s ago, 24 s', () => token({ iat: nowS() - 5, exp: nowS() + 24 }), {}],
    ['php: 60 s', () => token({ exp: nowS() + 60 }), {}],
    ['go: 30 s', () => token({ exp: nowS() + 30 }), {}],
    [
      'java: iss a text, account_id beside it',
      () => token({ iss: '1', iat: nowS() - 5 }),
      { account_id: '1' },
    ],
    ['account_name beside it', () => token(), { account_name: 'demo-reseller' }],
    ['an hour', () => token({ exp: nowS() + HOUR_S }), {}],
    ['without iat', () => token({ iat: undefined }), {}],
    ['without typ', () => token({}, { typ: undefined }), {}],
    ['a clock that is 20 s ahead', () => token({ iat: nowS() + 20, exp: nowS() + 84 }), {}],
    ['a clock that is 20 s behind', () => token({ iat: nowS() - 84, exp: nowS() - 20 }), {}],
    ['nbf as iat', () => token({ nbf: nowS() }), {}],
    ['a key made elsewhere', () => token({}, { kid: made.id }, rsaSign(made.privateKey)), {}],
  ])('%s signs in', async (_name, make, fields) => {
    expect(await check(make(), fields)).toEqual(NOTHING);
  });

  it('may be written in any case of Bearer, and goes with every form of a call', async () => {
    for (const scheme of ['bearer', 'BEARER', 'Bearer ']) {
      const headers = { authorization: `${scheme} ${token()}` };
      expect(await bodyOf(service, CHECK, IP, headers)).toEqual(NOTHING);
    }
    const { headers, body = '' } = multipart({ cmd: CHECK, ...IP });
    const call = { body, headers: { ...headers, ...bearer(token()) } };
    expect((await callRaw(service.url, 'POST', '/platform_api', call)).body).toEqual(NOTHING);
  });

  it('opens a session, which ends with the key', async () => {
    const { accounts } = service.services.platform;
    const { key_id: kid, private_key } = await addServiceKey(service, '1');
    const text = token({}, { kid }, rsaSign(private_key));
    const { result: session_id } = await bodyOf(service, 'Logon', {}, bearer(text));
    const withSession = () => bodyOf(service, CHECK, { ...IP, account_id: '1', session_id });
    expect(await withSession()).toEqual(NOTHING);
    await accounts.revokeKey('1', kid);
    expect(await withSession()).toEqual(REFUSED);
    expect(await check(text)).toEqual(REFUSED);
  });

  it.each<readonly [string, () => string, object]>([
    ['alg none', () => token({}, { alg: 'none' }, () => Buffer.alloc(0)), REFUSED],
    ['alg None', () => token({}, { alg: 'None' }, () => Buffer.alloc(0)), REFUSED],
    ['RS256 without a signature', () => token({}, {}, () => Buffer.alloc(0)), REFUSED],
    [
      'HS256 with the public key as its secret',
      () =>
        token({}, { alg: 'HS256', kid: made.id }, (text) =>
          createHmac('sha256', made.publicKey).update(text).digest(),
        ),
      REFUSED,
    ],
    [
      'RS256 with a signature of HS256',
      () =>
        token({}, { kid: made.id }, (text) =>
          createHmac('sha256', made.publicKey).update(text).digest(),
        ),
      REFUSED,
    ],
    ['RS512', () => token({}, { alg: 'RS512' }, rsaSign(own.private_key, 'RSA-SHA512')), REFUSED],
    ['RS384', () => token({}, { alg: 'RS384' }, rsaSign(own.private_key, 'RSA-SHA384')), REFUSED],
    ['PS256', () => token({}, { alg: 'PS256' }), REFUSED],
    ['a key of its own in jwk', () => token({}, { kid: 'x', jwk: { kty: 'RSA' } }), REFUSED],
    ['a critical extension', () => token({}, { crit: ['x'], x: 1 }), REFUSED],
    ['a kid that nobody knows', () => token({}, { kid: 'unknown' }), REFUSED],
    ['the kid of an API key', () => token({}, { kid: 'demo' }), REFUSED],
    ['a kid of prototypes', () => token({}, { kid: '__proto__' }), REFUSED],
    ['the kid of another account', () => token({}, { kid: other.key_id }), REFUSED],
    [
      'the key of another account, and its kid',
      () => token({}, { kid: other.key_id }, rsaSign(other.private_key)),
      REFUSED,
    ],
    ['the key of another account', () => token({}, {}, rsaSign(other.private_key)), REFUSED],
    ['another issuer', () => token({ iss: 2 }), REFUSED],
    ['an issuer that is nobody', () => token({ iss: 999 }), REFUSED],
    ['an issuer that is not whole', () => token({ iss: 1.5 }), REFUSED],
    ['an issuer with a zero before it', () => token({ iss: '01' }), REFUSED],
    ['the id of the store as issuer', () => token({ iss: ACCOUNT_OF[1] }), REFUSED],
    ['no issuer', () => token({ iss: undefined }), FORMAT],
    ['an issuer that is a list', () => token({ iss: [1] }), FORMAT],
    ['no kid', () => token({}, { kid: undefined }), FORMAT],
    ['a kid that is a number', () => token({}, { kid: 1 }), FORMAT],
    ['no exp', () => token({ exp: undefined }), NO_EXP],
    ['an exp that is a text', () => token({ exp: String(nowS() + 60) }), NO_EXP],
    ['an exp without end', () => token({ exp: 1e308 }), TTL],
    ['an hour and a second', () => token({ exp: nowS() + HOUR_S + 1 }), TTL],
    ['a year, without iat', () => token({ iat: undefined, exp: nowS() + 31e6 }), TTL],
    ['an iat that is a text', () => token({ iat: 'now', exp: nowS() + 31e6 }), TTL],
    ['one that is over', () => token({ iat: nowS() - 100, exp: nowS() - 40 }), EXPIRED],
    ['one of long ago', () => token({ iat: 1, exp: 2 }), EXPIRED],
    ['one of the future', () => token({ iat: nowS() + 60, exp: nowS() + 120 }), FUTURE],
    ['one for later', () => token({ nbf: nowS() + 60 }), FUTURE],
    ['a text that is none', () => 'abc', FORMAT],
    ['three parts of nothing', () => '..', FORMAT],
    ['parts that are no JSON', () => 'YQ.YQ.YQ', FORMAT],
    ['JSON that is null', () => tokenWith(null, null), FORMAT],
    ['five parts', () => `${token()}.a.b`, FORMAT],
    ['a very long one', () => token({ more: 'x'.repeat(5_000) }), FORMAT],
    ['a signature with a bit more', () => `${token()}A`, REFUSED],
  ])('%s is refused', async (_name, make, body) => {
    expect(await check(make())).toEqual(body);
  });

  it('says what is wrong with its times only to who has the key', async () => {
    for (const payload of [{ iat: 1, exp: 2 }, { exp: undefined }, { exp: nowS() + 1e6 }]) {
      expect(await check(token(payload, {}, rsaSign(other.private_key)))).toEqual(REFUSED);
    }
  });

  it.each<readonly [string, Fields, object]>([
    ['another account', { account_id: '2' }, REFUSED],
    ['another account by name', { account_name: 'demo-customer' }, REFUSED],
    ['an account that is not there', { account_id: '999' }, REFUSED],
    [
      'two accounts',
      { account_id: '1', account_name: 'demo-reseller' },
      failure(
        100,
        'Authorization failed',
        'name the account by one of account_id, account_name, account_email',
      ),
    ],
  ])('with %s beside it is refused', async (_name, fields, body) => {
    expect(await check(token(), fields)).toEqual(body);
  });

  it('that is wrong is not made good by a key beside it', async () => {
    expect(await check('abc', ONE)).toEqual(FORMAT);
    expect(await check(token({}, { kid: 'x' }), ONE)).toEqual(REFUSED);
    expect(await check(token(), TWO)).toEqual(REFUSED);
  });

  it('is not looked for in other schemes', async () => {
    const headers = { authorization: 'Basic dXNlcm5hbWU6cGFzc3dvcmQ=' };
    expect(await bodyOf(service, CHECK, { ...IP, ...ONE }, headers)).toEqual(NOTHING);
    expect((await bodyOf(service, CHECK, IP, headers)).error.code).toBe(100);
  });

  it('of another surface is none here, and the other way round', async () => {
    const crossbar = await service.tokenOf(2);
    expect(await check(crossbar)).toEqual(REFUSED);
    expect((await ask(service, ADD, IP, { 'x-auth-token': crossbar })).body.error.code).toBe(100);
    const answer = await service.call('GET', '/v2/token_auth', { token: token() });
    expect(answer.status).toBe(401);
  });

  it('is in no log line', async () => {
    const text = token();
    await check(text);
    await check(`${text}A`);
    await ask(service, CHECK, { ...IP, token: text, jwt: text });
    const [, , signature = 'none'] = text.split('.');
    expect(service.logLines.join('')).not.toContain(signature);
  });
});

describe('a public key', () => {
  it.each([
    ['of 1024 bits', () => newKeyPair(1024).publicKey, 'RSA of at least 2048 bits'],
    ['that is a text', () => 'not a key', 'not a public key in PEM'],
  ])('%s is not taken', async (_name, make, message) => {
    const { accounts } = service.services.platform;
    await expect(accounts.addPublicKey('1', 'weak', make())).rejects.toThrow(message);
  });
});
