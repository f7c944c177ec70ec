import { once } from 'node:events';
import { request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Metrics } from '../../src/metrics.js';
import { type CuttableProxy, startCuttableProxy } from '../support/cuttable-proxy.js';
import { growthOf, parseMetrics, type Series, valuesOf } from '../support/metrics-text.js';
import { newMetrics, PATIENCE_MS, readMetrics, readUntil } from '../support/own-metrics.js';
import { callRaw } from '../support/raw-call.js';
import { MASTER, startTestService, type TestService } from '../support/service.js';
import { storeUrl } from '../support/store.js';

const REQUESTS = 'telcouch_http_requests_total';
const DURATION = 'telcouch_http_request_duration_seconds';
const sumOf = (values: Readonly<Record<string, number>>): number =>
  Object.values(values).reduce((total, value) => total + value, 0);

const requestsOf = (series: readonly Series[]) =>
  valuesOf(series, REQUESTS, ['surface', 'route', 'method', 'status']);

/** What the requests of `run` have added; an answer is counted a moment after it arrived. */
async function requestsIn(
  metrics: Metrics,
  expected: number,
  run: () => Promise<unknown>,
): Promise<Record<string, number>> {
  const before = requestsOf(await readMetrics(metrics));
  await run();
  const grownIn = (series: readonly Series[]) => growthOf(before, requestsOf(series));
  return grownIn(await readUntil(metrics, (series) => sumOf(grownIn(series)) >= expected));
}

describe('requests', () => {
  let service: TestService;
  let limited: TestService;
  let token: string;
  const metrics = newMetrics();
  const ofLimited = newMetrics();

  beforeAll(async () => {
    service = await startTestService({ metrics });
    const { dbPrefix, keyring } = service;
    const limits = { unauthenticated: 1, logins: 1_000 };
    const options = { isSecond: true, dbPrefix, keyring, limits, metrics: ofLimited };
    limited = await startTestService(options);
    token = await service.tokenOf(1);
  });
  afterAll(async () => {
    await limited.stop();
    await service.stop();
  });

  const ask = (method: string, path: string, options = {}) =>
    callRaw(service.url, method, path, { token, ...options });

  it('are counted exactly, by declared route, surface, method and status', async () => {
    const grown = await requestsIn(metrics, 20, async () => {
      const { headers } = await ask('GET', '/v2/ips/1.2.3.4');
      await ask('GET', '/v2/ips/1.2.3.4?pretty_print=true');
      await ask('GET', '/v2/ips/1.2.3.4/', { headers: { 'if-none-match': headers['etag'] } });
      await ask('GET', '/v2/ips/9.9.9.9');
      await ask('GET', `/v2/accounts/${MASTER}`);
      await ask('GET', '/v2/account');
      await ask('PUT', '/v2/ips', { body: '{"data":{}}' });
      await ask('PUT', '/v2/ips', { body: '{"data":' });
      await ask('PATCH', '/v2/ips', { body: '{"data":{}}' });
      await ask('OPTIONS', '/v2/ips');
      await ask('OPTIONS', '/v2/nothing');
      await ask('GET', '/v2/nothing/at/all');
      await ask('GET', '/v2/ips', { token: 'no token' });
      await ask('GET', '/nothing');
      await ask('GET', '/v1/ips');
      await ask('GET', '/live');
      await ask('HEAD', '/ready');
      await ask('GET', '/');
      await ask('GET', '/docs/openapi.json');
      await ask('GET', '/metrics');
    });
    expect(grown).toEqual({
      'crossbar /v2/ips/{ip} GET 200': 2,
      'crossbar /v2/ips/{ip} GET 304': 1,
      'crossbar /v2/ips/{ip} GET 404': 1,
      'crossbar /v2/accounts/{account_id} GET 200': 2,
      'crossbar /v2/ips PUT 400': 2,
      'crossbar /v2/ips other 405': 1,
      'crossbar /v2/ips OPTIONS 204': 1,
      'crossbar unknown OPTIONS 204': 1,
      'crossbar unknown GET 404': 1,
      'crossbar /v2/ips GET 401': 1,
      'none unknown GET 404': 1,
      'none unknown GET 410': 1,
      'operations /live GET 200': 1,
      'operations /ready HEAD 200': 1,
      'docs / GET 302': 1,
      'docs /docs/{file} GET 200': 1,
      'operations /metrics GET 200': 1,
    });
  });

  it('are timed once each, by the class of their status', async () => {
    const series = await readMetrics(metrics);
    const labels = ['surface', 'route', 'method'];
    expect(valuesOf(series, `${DURATION}_count`, labels)).toEqual(
      valuesOf(series, REQUESTS, labels),
    );
    const classes = Object.keys(valuesOf(series, `${DURATION}_count`, ['status_class'])).sort();
    expect(classes).toEqual(['2xx', '3xx', '4xx']);
    expect(valuesOf(series, 'telcouch_http_requests_in_flight', [])).toEqual({ '': 0 });
  });

  it('that are over a limit are counted for their route', async () => {
    const grown = await requestsIn(ofLimited, 2, async () => {
      await callRaw(limited.url, 'GET', '/v2/ips');
      await callRaw(limited.url, 'GET', '/v2/ips/1.2.3.4');
    });
    expect(grown).toEqual({ 'crossbar /v2/ips GET 401': 1, 'crossbar /v2/ips/{ip} GET 429': 1 });
  });

  it('whose client hangs up are counted as aborted', async () => {
    const grown = await requestsIn(metrics, 1, async () => {
      const sent = request(`${service.url}/v2/ips`, {
        method: 'PUT',
        headers: { 'x-auth-token': token, 'content-length': 100 },
      });
      const failed = once(sent, 'error');
      sent.write('{"data":');
      const inFlight = (series: readonly Series[]) =>
        valuesOf(series, 'telcouch_http_requests_in_flight', []);
      const series = await readUntil(metrics, (each) => inFlight(each)[''] === 1);
      expect(inFlight(series)).toEqual({ '': 1 });
      sent.destroy(new Error('enough'));
      await failed.catch(() => undefined);
    });
    expect(grown).toEqual({ 'crossbar /v2/ips PUT aborted': 1 });
  });

  it('never make a label of what a client sends', async () => {
    const marks = Array.from({ length: 1000 }, (_, n) => `evil${n}x`);
    const methods = ['GET', 'PUT', 'PATCH', 'PROPFIND', 'PURGE', 'M-SEARCH', 'HEAD', 'OPTIONS'];
    const shapes = [
      (mark: string) => `/${mark}`,
      (mark: string) => `/v2/${mark}`,
      (mark: string) => `/v2/ips/${mark}?${mark}=${mark}`,
      (mark: string) => `/v2/accounts/${mark}/${mark}/${mark}`,
      (mark: string) => `/v2/accounts/%2e%2e%2f${mark}/ips/%00`,
      (mark: string) => `/docs/assets/${mark}`,
      (mark: string) => `/metrics/${mark}`,
      (mark: string) => `http://${mark}/${mark}`,
      (mark: string) => `/v2/{ip}/${mark}/"},a="b`,
      (mark: string) => `//${mark}//${'/x'.repeat(100)}`,
    ];
    const before = (await readMetrics(metrics)).length;
    await requestsIn(metrics, marks.length, async () => {
      for (let n = 0; n < marks.length; n += 20) {
        await Promise.all(
          marks.slice(n, n + 20).map((mark, m) => {
            const path = shapes[(n + m) % shapes.length]?.(mark) ?? '';
            return ask(methods[(n + m) % methods.length] ?? 'GET', path);
          }),
        );
      }
    });
    const text = await metrics.page.render();
    expect(text).not.toMatch(/evil/);
    const series = parseMetrics(text);
    const declared = new Set((await declaredRoutes()).concat('unknown'));
    const routes = Object.keys(valuesOf(series, REQUESTS, ['route']));
    expect(routes.filter((route) => !declared.has(route))).toEqual([]);
    const allowed = ['GET', 'PUT', 'POST', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS', 'other'];
    const labelled = Object.keys(valuesOf(series, REQUESTS, ['method']));
    expect(labelled.filter((method) => !allowed.includes(method))).toEqual([]);
    // As many again would add nothing: what is left to add is bounded by the declared routes.
    expect(series.length - before).toBeLessThan(1000);
  }, 120_000);

  async function declaredRoutes(): Promise<string[]> {
    const { paths } = (await callRaw(service.url, 'GET', '/docs/openapi.json')).body;
    return [...Object.keys(paths), '/', '/docs', '/docs/{file}', '/docs/assets/{file}'];
  }
});

describe('the page', () => {
  let service: TestService;
  let proxy: CuttableProxy;
  let behind: TestService;
  const metrics = newMetrics();
  const ofBehind = newMetrics();

  beforeAll(async () => {
    service = await startTestService({ metrics });
    metrics.watchPool(service.services.ipPool.count);
    proxy = await startCuttableProxy(storeUrl());
    const { dbPrefix, keyring } = service;
    behind = await startTestService({
      isSecond: true,
      dbPrefix,
      keyring,
      couchUrl: proxy.url,
      couchTimeoutMs: 2_000,
      metrics: ofBehind,
    });
    ofBehind.watchPool(behind.services.ipPool.count);
  });
  afterAll(async () => {
    await behind.stop();
    await proxy.close();
    await service.stop();
  });

  it('shows requests, store calls, the pool and the process in the text format', async () => {
    const token = await service.tokenOf(1);
    const ips = (await service.call('GET', '/v2/ips/hosts', { token })).status;
    const answer = await callRaw(service.url, 'GET', '/metrics');
    expect([ips, answer.status]).toEqual([200, 200]);
    expect(answer.headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(answer.headers['cache-control']).toBe('no-store');
    const series = parseMetrics(answer.text);
    expect(valuesOf(series, 'telcouch_build_info', ['version'])).toEqual({ '0.0.0-test': 1 });
    const names = new Set(series.map(({ name }) => name));
    for (const name of [
      `${DURATION}_bucket`,
      'telcouch_store_call_duration_seconds_bucket',
      'telcouch_store_retries_total',
      'telcouch_store_breaker_open',
      'nodejs_eventloop_lag_p99_seconds',
      'process_resident_memory_bytes',
      'process_cpu_seconds_total',
    ]) {
      expect([name, names.has(name)]).toEqual([name, true]);
    }
    const calls = valuesOf(series, 'telcouch_store_calls_total', ['kind', 'method', 'outcome']);
    expect(calls).toMatchObject({
      'view GET 2xx': expect.any(Number),
      'document GET 2xx': expect.any(Number),
      'document PUT 2xx': expect.any(Number),
    });
    expect(answer.text).not.toContain(service.dbPrefix);
  });

  it('has the sizes of the pool, as the store has them', async () => {
    const counts: Record<string, number> = {};
    for (const { zone, status } of await service.services.ips.summarize(undefined)) {
      counts[`${zone} ${status}`] = (counts[`${zone} ${status}`] ?? 0) + 1;
    }
    const series = await readUntil(
      metrics,
      (each) => valuesOf(each, 'telcouch_pool_up', [])[''] === 1,
    );
    const shown = valuesOf(series, 'telcouch_pool_ips', ['zone', 'status']);
    expect(Object.keys(counts).length).toBeGreaterThan(1);
    expect(growthOf({}, shown)).toEqual(counts);
    expect(valuesOf(series, 'telcouch_pool_up', [])).toEqual({ '': 1 });
    const [readAt] = Object.values(valuesOf(series, 'telcouch_pool_read_timestamp_seconds', []));
    expect(Math.abs(Number(readAt) - Date.now() / 1000)).toBeLessThan(60);
  });

  it('answers while the store is silent or away, without sizes', async () => {
    proxy.silence();
    try {
      const before = await callRaw(behind.url, 'GET', '/metrics');
      expect(before.status).toBe(200);
      expect(valuesOf(parseMetrics(before.text), 'telcouch_pool_ips', ['zone'])).toEqual({});
      proxy.cut();
      const giveUpAt = Date.now() + PATIENCE_MS;
      let series: readonly Series[] = [];
      do {
        await sleep(50);
        const answer = await callRaw(behind.url, 'GET', '/metrics');
        expect(answer.status).toBe(200);
        series = parseMetrics(answer.text);
      } while (
        Object.keys(valuesOf(series, 'telcouch_store_calls_total', ['kind'])).length === 0 &&
        Date.now() < giveUpAt
      );
      expect(valuesOf(series, 'telcouch_pool_ips', ['zone'])).toEqual({});
      expect(valuesOf(series, 'telcouch_pool_up', [])).toEqual({ '': 0 });
      expect(valuesOf(series, 'telcouch_pool_read_timestamp_seconds', [])).toEqual({ '': 0 });
      const failed = valuesOf(series, 'telcouch_store_calls_total', ['kind', 'outcome']);
      expect(Object.keys(failed).filter((key) => !key.endsWith(' 2xx'))).not.toEqual([]);
    } finally {
      proxy.mend();
    }
  });

  it('is told in the API document', async () => {
    const { paths } = (await callRaw(service.url, 'GET', '/docs/openapi.json')).body;
    expect(Object.keys(paths['/metrics'].get.responses)).toEqual(['200', '401', '403']);
  });
});
