import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { failure } from '../support/envelope.js';
import { createUser, credentialsOf } from '../support/people.js';
import { callRaw } from '../support/raw-call.js';
import {
  CUSTOMER,
  demoKey,
  MASTER,
  startTestService,
  type TestService,
} from '../support/service.js';

const LIMIT = 3;
/** Attempts that may be under way beside the failed ones, as src/surfaces/crossbar/limits.ts. */
const UNDECIDED = 50;
const WRONG = JSON.stringify({ data: { api_key: '0'.repeat(64) } });

describe('the limit of failed sign-ins', () => {
  let service: TestService;
  beforeEach(async () => {
    service = await startTestService({ limits: { logins: LIMIT } });
  });
  afterEach(() => service.stop());

  const signIn = (body: string) => callRaw(service.url, 'PUT', '/v2/api_auth', { body });
  const good = JSON.stringify({ data: { api_key: demoKey(1) } });

  it('refuses no good client, however many sign in at once', async () => {
    const answers = await Promise.all(Array.from({ length: 10 * LIMIT }, () => signIn(good)));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201]));
    expect((await signIn(WRONG)).status).toBe(404);
    expect((await signIn(good)).status).toBe(201);
  });

  it('does not count what a client with good Basic credentials fails to find', async () => {
    await createUser(service, CUSTOMER, { username: 'basic', password: 'basic-pass' });
    const pair = `${CUSTOMER}:${credentialsOf('basic', 'basic-pass')}`;
    const authorization = `Basic ${Buffer.from(pair).toString('base64')}`;
    const get = (path: string) =>
      callRaw(service.url, 'GET', `/v2/accounts/${path}`, { headers: { authorization } });
    for (let n = 0; n < 2 * LIMIT; n += 1) {
      expect((await get(`${CUSTOMER}/users/${'0'.repeat(32)}`)).status).toBe(404);
      expect((await get('short/users')).status).toBe(404);
      expect((await get(`${MASTER}/users`)).status).toBe(403);
    }
    expect((await get(`${CUSTOMER}/users`)).status).toBe(200);
  });

  it('bounds wrong guesses that are sent all at once', async () => {
    const guesses = Array.from({ length: 3 * UNDECIDED }, () => signIn(WRONG));
    const answers = await Promise.all(guesses);
    const guessed = answers.filter(({ status }) => status === 404).length;
    expect(guessed).toBeGreaterThanOrEqual(LIMIT);
    expect(guessed).toBeLessThanOrEqual(LIMIT + UNDECIDED);
    for (const answer of answers.filter(({ status }) => status !== 404)) {
      expect(answer.status).toBe(429);
      expect(Number(answer.headers['retry-after'])).toBeGreaterThanOrEqual(1);
    }
    const after = await signIn(good);
    expect(after.status).toBe(429);
    expect(after.body).toEqual(
      failure(429, 'too_many_requests', { message: 'too many requests' }, 'nobody'),
    );
  });

  it("counts guesses at what another client's Idempotency-Key was used with", async () => {
    const signInOnce = (body: string) =>
      callRaw(service.url, 'PUT', '/v2/api_auth', { body, headers: { 'idempotency-key': 'k' } });
    expect((await signInOnce(good)).status).toBe(201);
    for (let n = 0; n < LIMIT; n += 1) expect((await signInOnce(WRONG)).status).toBe(422);
    expect((await signInOnce(WRONG)).status).toBe(429);
    expect((await signIn(good)).status).toBe(429);
  });

  it('counts guesses of clients that do not wait for the answer', async () => {
    const { hostname, port } = new URL(service.url);
    const head = `PUT /v2/api_auth HTTP/1.1\r\nhost: x\r\ncontent-length: ${WRONG.length}\r\n\r\n`;
    for (let n = 0; n < LIMIT; n += 1) {
      const socket = connect(Number(port), hostname);
      await new Promise<void>((resolve) => {
        socket.write(head + WRONG, () => resolve());
      });
      socket.destroy();
    }
    await sleep(500);
    expect((await signIn(good)).status).toBe(429);
  });
});
