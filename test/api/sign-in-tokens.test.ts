import {
  createHmac,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
} from 'node:crypto';
import { databases } from '../../src/couch/databases.js';
import { failure, unauthenticated } from '../support/envelope.js';
import { claimsOf, createUser, everythingStored, tokenOfUser } from '../support/people.js';
import { CUSTOMER, RESELLER, startTestService, type TestService } from '../support/service.js';

const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
const headerOf = (token: string) =>
  JSON.parse(Buffer.from(String(token.split('.')[0]), 'base64url').toString()) as {
    kid: string;
  };

function signed(header: object, claims: object, key: KeyObject, digest = 'sha256'): string {
  const text = `${encode(header)}.${encode(claims)}`;
  return `${text}.${sign(digest, Buffer.from(text), key).toString('base64url')}`;
}

describe('the tokens', () => {
  let service: TestService;
  let token: string;
  let clockMs = 0;

  beforeAll(async () => {
    service = await startTestService({ now: () => Date.now() + clockMs });
    token = await service.tokenOf(2);
  });
  afterAll(() => service.stop());

  const ask = (text: string) => service.call('GET', '/v2/token_auth', { token: text });
  const keyDocument = async () =>
    service.couch.database(databases.systemAuth).get(headerOf(token).kid);

  it('are Kazoo’s: RS256, kid, one hour, the account and how it signed in', async () => {
    const now = Math.floor(Date.now() / 1000);
    const { kid } = headerOf(token);
    expect(headerOf(token)).toEqual({ alg: 'RS256', typ: 'JWT', kid });
    expect(kid).toMatch(/^[0-9a-f]{32}$/);
    const claims = claimsOf(token);
    expect(claims).toEqual({
      iss: 'kazoo',
      account_id: RESELLER,
      method: 'cb_api_auth',
      identity_sig: expect.stringMatching(/^[\w-]{43}$/),
      iat: expect.any(Number),
      exp: Number(claims['iat']) + 3600,
      jti: expect.stringMatching(/^[0-9a-f]{32}$/),
    });
    expect(Math.abs(Number(claims['iat']) - now)).toBeLessThan(60);
    const user = await createUser(service, CUSTOMER, { username: 'claims', password: 'x' });
    const own = claimsOf(await tokenOfUser(service, 'Demo Customer', 'claims', 'x'));
    expect(own).toMatchObject({
      account_id: CUSTOMER,
      owner_id: user,
      method: 'cb_user_auth',
    });
  });

  it('are signed by the key whose public half system_auth has', async () => {
    const doc = await keyDocument();
    const config = await service.couch.database(databases.systemConfig).get('auth');
    expect(config).toMatchObject({ default: { system_key: doc._id } });
    const publicKey = createPublicKey(String(doc['pvt_public_key']));
    expect(publicKey.asymmetricKeyDetails?.modulusLength).toBe(2048);
  });

  it('are signed by a key that is stored sealed', async () => {
    const doc = await keyDocument();
    expect(doc['pvt_private_key']).toMatch(/^v1\.[\w-]+\.[\w-]+$/);
    const everything = `${await everythingStored(service)}${service.logLines.join('')}`;
    expect(everything).not.toMatch(/PRIVATE KEY/);
  });

  it('count only as they were signed', async () => {
    const [header, payload, signature] = token.split('.') as [string, string, string];
    const flipped = `${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`;
    const claims = claimsOf(token);
    const kid = headerOf(token).kid;
    const pem = String((await keyDocument())['pvt_public_key']);
    const { privateKey: foreign } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const hmac = (key: string) => {
      const text = `${encode({ alg: 'HS256', typ: 'JWT', kid })}.${payload}`;
      return `${text}.${createHmac('sha256', key).update(text).digest('base64url')}`;
    };
    const rs256 = { alg: 'RS256', typ: 'JWT' };
    const wrong: Record<string, string> = {
      'another account': `${header}.${encode({ ...claims, account_id: CUSTOMER })}.${signature}`,
      'a flipped signature': `${header}.${payload}.${flipped}`,
      'no signature': `${header}.${payload}.`,
      'alg none': `${encode({ alg: 'none', typ: 'JWT', kid })}.${payload}.`,
      'alg none with a signature': `${encode({ alg: 'none', kid })}.${payload}.${signature}`,
      'HS256 with the public key': hmac(pem),
      'HS256 with the trimmed public key': hmac(pem.trim()),
      'a foreign key under our kid': signed({ ...rs256, kid }, claims, foreign),
      'a foreign key under its own kid': signed({ ...rs256, kid: 'f'.repeat(32) }, claims, foreign),
      'a key without a kid': signed(rs256, claims, foreign),
      'a kid that is a path': signed({ ...rs256, kid: '../system_config/auth' }, claims, foreign),
      'a key in the header': signed(
        { ...rs256, kid, jwk: createPublicKey(foreign).export({ format: 'jwk' }) },
        claims,
        foreign,
      ),
      'two parts': `${header}.${payload}`,
      'four parts': `${token}.x`,
      garbage: 'garbage',
      'dots only': '..',
      'a very long text': `${header}.${'x'.repeat(6000)}.${signature}`,
    };
    for (const [what, text] of Object.entries(wrong)) {
      const answer = await ask(text);
      expect([what, answer.status]).toEqual([what, 401]);
      expect(answer.body).toEqual(unauthenticated());
    }
    expect((await ask(token)).status).toBe(200);
  });

  it('are refused in Kazoo’s words when they are over', async () => {
    clockMs = 3601 * 1000;
    const answer = await ask(token);
    expect(answer.status).toBe(401);
    expect(answer.body).toEqual(failure(401, 'invalid credentials', {}, 'nobody'));
    // An expired token is refused before the path is looked at.
    expect((await service.call('GET', '/v2/token_auth', { token })).body.message).toBe(
      'invalid credentials',
    );
    clockMs = 0;
    expect((await ask(token)).status).toBe(200);
  });

  it('of an account that is not there any more are refused', async () => {
    const root = await service.services.accounts.create({ name: 'Short-lived' });
    const key = await service.services.apiKeys.issue(root.id);
    const answer = await service.call('PUT', '/v2/api_auth', { body: { data: { api_key: key } } });
    const own = answer.body.auth_token;
    expect((await ask(own)).status).toBe(200);
    await service.services.accounts.remove(root.id);
    expect((await ask(own)).body).toEqual(unauthenticated('token'));
  });
});

describe('two services that start at once on empty databases', () => {
  it('end with one signing key, and each accepts the other’s tokens', async () => {
    const first = await startTestService();
    const { dbPrefix, keyring } = first;
    const second = await startTestService({ isSecond: true, dbPrefix, keyring });
    const third = await startTestService({ isSecond: true, dbPrefix, keyring });
    const all = [first, second, third];
    try {
      expect(await first.couch.database(databases.systemAuth).listDocs({ limit: 10 })).toEqual([]);
      const tokens = await Promise.all(all.flatMap((each) => [each.tokenOf(1), each.tokenOf(2)]));
      const keys = await first.couch.database(databases.systemAuth).listDocs({ limit: 10 });
      expect(keys).toHaveLength(1);
      expect(new Set(tokens.map((token) => headerOf(token).kid))).toEqual(new Set([keys[0]?._id]));
      for (const each of all) {
        for (const token of tokens) {
          expect((await each.call('GET', '/v2/token_auth', { token })).status).toBe(200);
        }
      }
    } finally {
      await third.stop();
      await second.stop();
      await first.stop();
    }
  });
});
