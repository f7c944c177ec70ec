import { EventEmitter, once } from 'node:events';
import { failure } from '../support/envelope.js';
import { type Answer, RESELLER, startTestService, type TestService } from '../support/service.js';
import { storeUrl } from '../support/store.js';
import {
  type Moment,
  startWriteCountingProxy,
  type WriteCountingProxy,
} from '../support/write-counting-proxy.js';

/** Shorter than the patience of a test, longer than a slow store needs. */
const STORE_MS = 3000;
const REQUEST_MS = 10_000;
/** Old enough for every request's run to be taken for dead. */
const LATER_MS = 60_000;
const KEY = 'PUT ops-top idempotency_key';
const IN_USE = 'a request with this Idempotency-Key is under way';

describe('a keyed request while the store is in trouble', () => {
  let proxy: WriteCountingProxy;
  let service: TestService;
  let later: TestService;
  let token: string;
  let count = 0;

  beforeAll(async () => {
    proxy = await startWriteCountingProxy(storeUrl());
    service = await startTestService({
      couchUrl: proxy.url,
      couchTimeoutMs: STORE_MS,
      requestTimeoutMs: REQUEST_MS,
    });
    const { dbPrefix, keyring } = service;
    const now = () => Date.now() + LATER_MS;
    later = await startTestService({ dbPrefix, keyring, isSecond: true, now });
    token = await service.tokenOf(1);
  });
  afterEach(() => proxy.watch());
  afterAll(async () => {
    await later.stop();
    await service.stop();
    await proxy.close();
  });

  function newIp() {
    count += 1;
    return { ip: `10.8.0.${count}`, zone: 'keyed', host: 'keyed.example.com' };
  }

  function add(data: { ip: string }, on: TestService = service): Promise<Answer> {
    const headers = { 'idempotency-key': `add ${data.ip}` };
    return on.call('PUT', '/v2/ips', { token, body: { data }, headers });
  }

  const outcome = ({ status, headers }: Answer) => [status, headers['idempotent-replay']];

  /** The store never hears of the n-th write, or nobody hears that it has done it. */
  function lose(n: number, moment: Moment): void {
    proxy.watch(async (write, now) => (write.n === n && now === moment ? 'drop' : 'go on'));
  }

  it('notes its key before its work and its answer after it; nothing without a key', async () => {
    proxy.watch();
    expect((await add(newIp())).status).toBe(201);
    expect(proxy.landed).toEqual([KEY, 'PUT dedicated_ips doc', KEY]);
    proxy.watch();
    const body = { data: newIp() };
    expect((await service.call('PUT', '/v2/ips', { token, body })).status).toBe(201);
    expect(proxy.landed).toEqual(['PUT dedicated_ips doc']);
  });

  it('is told to wait while the first is under way, and then gets its answer', async () => {
    const data = newIp();
    const held = new EventEmitter();
    proxy.watch(async ({ n }, moment) => {
      if (n !== 2 || moment !== 'before') return 'go on';
      held.emit('there');
      await once(held, 'go');
      return 'go on';
    });
    const isThere = once(held, 'there');
    const first = add(data);
    await isThere;
    const meanwhile = await add(data);
    expect(meanwhile.status).toBe(409);
    expect(meanwhile.headers['retry-after']).toBe('1');
    expect(meanwhile.body).toEqual(failure(409, 'idempotency_key_in_use', { message: IN_USE }));
    held.emit('go');
    const answer = await first;
    expect(outcome(answer)).toEqual([201, undefined]);
    const again = await add(data);
    expect(outcome(again)).toEqual([201, 'true']);
    expect(again.body).toEqual(answer.body);
  });

  it('does nothing when its key could not be written', async () => {
    const data = newIp();
    lose(1, 'before');
    expect((await add(data)).status).toBe(503);
    expect(proxy.landed).toEqual([]);
    proxy.watch();
    expect(outcome(await add(data))).toEqual([201, undefined]);
  });

  it('runs when its key was written and the answer to that was lost', async () => {
    lose(1, 'after');
    expect(outcome(await add(newIp()))).toEqual([201, undefined]);
  });

  it('can be repeated after a failure of the store, for the same body only', async () => {
    const data = newIp();
    lose(2, 'before');
    expect((await add(data)).status).toBe(503);
    const other = { ...data, host: 'other.example.com' };
    expect((await add(other)).status).toBe(422);
    expect(outcome(await add(data))).toEqual([201, undefined]);
    expect(outcome(await add(data))).toEqual([201, 'true']);
  });

  it('is answered all the same when its answer could not be kept', async () => {
    const data = newIp();
    lose(3, 'before');
    const first = await add(data);
    expect(outcome(first)).toEqual([201, undefined]);
    const lines = service.logLines.filter((line) => line.includes('keyed request'));
    expect(lines).toHaveLength(1);
    proxy.watch();
    // The process might still be at work for all that others know.
    expect(outcome(await add(data))).toEqual([409, undefined]);
    // Then it finds its own address in the pool and takes it for what it is.
    const again = await add(data, later);
    expect(outcome(again)).toEqual([201, undefined]);
    expect(again.body.data).toEqual(first.body.data);
    expect(again.headers['etag']).toBe(first.headers['etag']);
    expect(outcome(await add(data))).toEqual([201, 'true']);
  });

  it('does not take for its own what another has written since', async () => {
    const data = newIp();
    lose(3, 'before');
    expect((await add(data)).status).toBe(201);
    proxy.watch();
    const path = `/v2/accounts/${RESELLER}/ips/${data.ip}`;
    expect((await service.call('POST', path, { token })).status).toBe(200);
    const again = await add(data, later);
    expect(again.status).toBe(409);
    expect(again.body.message).toBe('datastore_conflict');
  });

  it('holds its key for as long as it takes', async () => {
    const data = newIp();
    const { dbPrefix, keyring } = service;
    const slow = await startTestService({
      ...{ dbPrefix, keyring, isSecond: true },
      couchUrl: proxy.url,
      requestTimeoutMs: 4000,
    });
    // The answer to the second write never comes, so that it is read back when time runs out.
    lose(2, 'after');
    expect(outcome(await add(data, slow))).toEqual([201, undefined]);
    expect(proxy.landed).toEqual([KEY, 'PUT dedicated_ips doc', KEY, KEY]);
    expect(outcome(await add(data))).toEqual([201, 'true']);
    await slow.stop();
  });
});
