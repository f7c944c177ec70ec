import { hasCode } from '../../src/core/errors.js';
import {
  type Claim,
  type Claims,
  claimId,
  createClaims,
  PENDING_CLAIM_MS,
} from '../../src/couch/claims.js';
import { databases } from '../../src/couch/databases.js';
import { failure, openOwnCouch } from './own-couch.js';

const own = openOwnCouch();
const { couch } = own;
const START_MS = Date.UTC(2026, 10, 22);
let nowMs = START_MS;
let claims: Claims;

const stillHeld = async (): Promise<boolean> => true;
const givenUp = async (): Promise<boolean> => false;
const owner = (id: string) => ({ id, database: 'sip_auth' });

beforeAll(async () => {
  await couch.createDatabase(databases.claims);
  claims = createClaims({ couch, now: () => nowMs });
});

beforeEach(() => {
  nowMs = START_MS;
});

afterAll(() => own.cleanUp());

test('a value is claimed, confirmed and released by its owner', async () => {
  expect(await claims.find('mdn', '+15551230000')).toBeUndefined();
  const claim = await claims.acquire('mdn', '+15551230000', owner('a'), stillHeld);
  expect(claim).toEqual({
    kind: 'mdn',
    value: '+15551230000',
    state: 'pending',
    owner: owner('a'),
    created: START_MS / 1000 + 62167219200,
    modified: START_MS / 1000 + 62167219200,
    revision: expect.stringMatching(/^1-[0-9a-f]{32}$/),
  });
  await claims.confirm('mdn', '+15551230000', 'a');
  expect(await claims.find('mdn', '+15551230000')).toMatchObject({ state: 'held' });
  await claims.release('mdn', '+15551230000', 'b');
  expect(await claims.find('mdn', '+15551230000')).toBeDefined();
  await claims.release('mdn', '+15551230000', 'a');
  await claims.release('mdn', '+15551230000', 'a');
  expect(await claims.find('mdn', '+15551230000')).toBeUndefined();
});

test('a claim is stored under its value with the fields that replications need', async () => {
  await claims.acquire('realm', 'a/b c.example', owner('r'), stillHeld);
  const db = couch.database(databases.claims);
  expect(await db.get('realm:a%2Fb%20c.example')).toEqual({
    _id: 'realm:a%2Fb%20c.example',
    _rev: expect.any(String),
    pvt_type: 'claim',
    pvt_vsn: '1',
    pvt_kind: 'realm',
    pvt_value: 'a/b c.example',
    pvt_state: 'pending',
    pvt_owner: 'r',
    pvt_owner_db: 'sip_auth',
    pvt_created: expect.any(Number),
    pvt_modified: expect.any(Number),
    pvt_request_id: expect.stringMatching(/^[0-9a-f]{32}$/),
  });
  await claims.release('realm', 'a/b c.example', 'r');
  const { changes } = await db.changes({ since: '0', limit: 100, includeDocs: true });
  expect(changes.find(({ id }) => id.startsWith('realm:'))?.doc).toMatchObject({
    _deleted: true,
    pvt_type: 'claim',
    pvt_kind: 'realm',
    pvt_value: 'a/b c.example',
    pvt_owner: 'r',
    pvt_owner_db: 'sip_auth',
  });
});

test('the same owner claims as often as it likes and keeps what it holds', async () => {
  await claims.acquire('esn', '1', owner('a'), stillHeld);
  nowMs += 1000;
  expect(await claims.acquire('esn', '1', owner('a'), stillHeld)).toMatchObject({
    state: 'pending',
    modified: nowMs / 1000 + 62167219200,
  });
  await claims.confirm('esn', '1', 'a');
  await claims.confirm('esn', '1', 'a');
  expect(await claims.acquire('esn', '1', owner('a'), stillHeld)).toMatchObject({ state: 'held' });
});

test('a claim that its owner still holds is a conflict that names the owner', async () => {
  await claims.acquire('sim', '1', owner('a'), stillHeld);
  await claims.confirm('sim', '1', 'a');
  const asked: Claim[] = [];
  const error = await failure(
    claims.acquire('sim', '1', owner('b'), async (claim) => asked.push(claim) > 0),
  );
  expect(error).toMatchObject({
    code: 'conflict',
    reason: 'claimed',
    subject: '1',
    details: { owner: 'a' },
  });
  expect(asked).toEqual([expect.objectContaining({ owner: owner('a'), state: 'held' })]);
});

test('a held claim whose owner document no longer has the value is taken over', async () => {
  await claims.acquire('sim', '2', owner('a'), stillHeld);
  await claims.confirm('sim', '2', 'a');
  expect(await claims.acquire('sim', '2', owner('b'), givenUp)).toMatchObject({
    owner: owner('b'),
    state: 'pending',
  });
  const lost = { code: 'conflict', reason: 'claim_lost' };
  expect(await failure(claims.confirm('sim', '2', 'a'))).toMatchObject(lost);
});

test('a pending claim is left alone until its owner must have failed', async () => {
  await claims.acquire('sim', '3', owner('a'), stillHeld);
  nowMs += PENDING_CLAIM_MS - 1000;
  expect(await failure(claims.acquire('sim', '3', owner('b'), givenUp))).toMatchObject({
    reason: 'claimed',
  });
  nowMs += 1000;
  expect(await failure(claims.acquire('sim', '3', owner('b'), stillHeld))).toMatchObject({
    reason: 'claimed',
  });
  expect(await claims.acquire('sim', '3', owner('b'), givenUp)).toMatchObject({
    owner: owner('b'),
  });
});

test('of many that claim one value at once exactly one gets it', async () => {
  const contenders = Array.from({ length: 12 }, (_, n) => `owner${n}`);
  const outcomes = await Promise.allSettled(
    contenders.map((id) => claims.acquire('race', '1', owner(id), givenUp)),
  );
  const winners = outcomes.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  expect(winners).toHaveLength(1);
  for (const outcome of outcomes) {
    if (outcome.status === 'rejected') expect(hasCode(outcome.reason, 'conflict')).toBe(true);
  }
  expect(await claims.find('race', '1')).toEqual(winners[0]);
});

test('of many that take over one abandoned claim exactly one gets it', async () => {
  await claims.acquire('race', '2', owner('gone'), stillHeld);
  await claims.confirm('race', '2', 'gone');
  const outcomes = await Promise.allSettled(
    Array.from({ length: 8 }, (_, n) =>
      claims.acquire('race', '2', owner(`owner${n}`), async ({ owner: { id } }) => id !== 'gone'),
    ),
  );
  expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
});

test('claims are listed by kind and page', async () => {
  for (const value of ['a', 'b', 'é', '😀'])
    await claims.acquire('list', value, owner('l'), stillHeld);
  await claims.acquire('list_more', 'z', owner('l'), stillHeld);
  const values = async (query: Parameters<Claims['list']>[0]): Promise<string[]> =>
    (await claims.list(query)).map(({ value }) => value);
  expect((await values({ kind: 'list', limit: 10 })).sort()).toEqual(['a', 'b', 'é', '😀'].sort());
  expect(await values({ kind: 'list', limit: 2, startId: claimId('list', 'a') })).toEqual([
    'a',
    'b',
  ]);
  expect((await values({ limit: 100 })).includes('z')).toBe(true);
});

test('two values never share an id, and what no id can hold is invalid', async () => {
  const values = ['a/b', 'a%2Fb', 'a b', 'a+b', 'a%20b', '..', '_x', 'ä', 'A', 'a', 'x@y', 'x%40y'];
  const ids = values.map((value) => claimId('k', value));
  expect(new Set(ids).size).toBe(values.length);
  expect(ids.map((id) => decodeURIComponent(id.slice(2)))).toEqual(values);
  for (const value of ['', 'x'.repeat(600), '\ud800']) {
    expect(await failure((async () => claimId('k', value))())).toMatchObject({ code: 'invalid' });
  }
});

test('what was read is released only while it is as it was read', async () => {
  const claim = await claims.acquire('mdn', '+15551230009', owner('a'), stillHeld);
  await claims.confirm('mdn', '+15551230009', 'a');
  expect(await claims.releaseRead(claim)).toBe(false);
  const confirmed = await claims.find('mdn', '+15551230009');
  expect(confirmed).toMatchObject({ state: 'held' });
  expect(confirmed && (await claims.releaseRead(confirmed))).toBe(true);
  expect(await claims.find('mdn', '+15551230009')).toBeUndefined();
});
