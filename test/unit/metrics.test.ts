import { Registry } from 'prom-client';
import { createRequestMetrics } from '../../src/metrics-requests.js';
import { createPlaces, declarePaths } from '../../src/metrics-routes.js';
import { createCounts, createTimings } from '../../src/metrics-timings.js';
import { parseMetrics, type Series, valuesOf } from '../support/metrics-text.js';

const routes = [
  { method: 'GET', path: '/ips' },
  { method: 'PUT', path: '/ips' },
  { method: 'GET', path: '/ips/{ip}' },
  { method: 'GET', path: '/ips/zones' },
  { method: 'GET', path: '/accounts/{account_id}' },
  { method: 'GET', path: '/accounts/{account_id}/ips/{ip}' },
];
const paths = declarePaths(routes);
const read = async (registry: Registry): Promise<readonly Series[]> =>
  parseMetrics(await registry.metrics());

describe('the place of a request', () => {
  const placeOf = createPlaces(paths);

  test.each([
    ['/v2/ips', '/v2/ips', 'crossbar'],
    ['/v2/ips/', '/v2/ips', 'crossbar'],
    ['/V2/ips?zone=a', '/v2/ips', 'crossbar'],
    ['/v2/ips/1.2.3.4', '/v2/ips/{ip}', 'crossbar'],
    ['/v2/ips/zones', '/v2/ips/zones', 'crossbar'],
    ['/v2/accounts/x/ips/1.2.3.4?a=/b', '/v2/accounts/{account_id}/ips/{ip}', 'crossbar'],
    ['/v2/account/ips/1.2.3.4', '/v2/accounts/{account_id}/ips/{ip}', 'crossbar'],
    ['/v2/account', '/v2/accounts/{account_id}', 'crossbar'],
    ['http://host:80/v2/ips#x', '/v2/ips', 'crossbar'],
    ['/', '/', 'docs'],
    ['/docs/', '/docs', 'docs'],
    ['/docs/assets/swagger-ui.css', '/docs/assets/{file}', 'docs'],
    ['/live', '/live', 'operations'],
    ['/metrics', '/metrics', 'operations'],
    ['/v2', 'unknown', 'crossbar'],
    ['/v2/ips//', 'unknown', 'crossbar'],
    ['/v2/IPS', 'unknown', 'crossbar'],
    ['/v2/accounts//ips/1.2.3.4', 'unknown', 'crossbar'],
    ['/docs/a/b/c', 'unknown', 'docs'],
    ['/v1/ips', 'unknown', 'none'],
    ['//v2/ips', 'unknown', 'none'],
    ['/constructor', 'unknown', 'none'],
    ['*', 'unknown', 'none'],
    ['', '/', 'docs'],
    [`/v2/ips/${'a/'.repeat(8000)}`, 'unknown', 'crossbar'],
  ])('%j is %s of %s', (target, route, surface) => {
    const place = placeOf(target);
    expect([place.route, place.surface]).toEqual([route, surface]);
  });

  test('takes the methods that its path declares, and those that every path takes', () => {
    expect([...placeOf('/v2/ips').methods].sort()).toEqual(['GET', 'OPTIONS', 'POST', 'PUT']);
    expect([...placeOf('/live').methods]).toEqual(['GET', 'HEAD']);
  });

  test('is known by surface before there are routes', () => {
    const place = createPlaces(declarePaths([]))('/v2/ips');
    expect([place.route, place.surface]).toEqual(['unknown', 'crossbar']);
  });
});

describe('requests', () => {
  test('are counted by status and timed by its class, under what is declared alone', async () => {
    const registry = new Registry();
    const meter = createRequestMetrics(registry)(paths);
    meter.start();
    for (const [method, status] of [
      ['GET', 200],
      ['GET', 200],
      ['GET', 404],
      ['GET', 'aborted'],
      ['DELETE', 405],
      ['PROPFIND', 405],
    ] as const) {
      meter.start();
      meter.end(method, '/v2/ips', status, 7);
    }
    const series = await read(registry);
    const names = ['surface', 'route', 'method', 'status'];
    expect(valuesOf(series, 'telcouch_http_requests_total', names)).toEqual({
      'crossbar /v2/ips GET 200': 2,
      'crossbar /v2/ips GET 404': 1,
      'crossbar /v2/ips GET aborted': 1,
      'crossbar /v2/ips other 405': 2,
    });
    const duration = 'telcouch_http_request_duration_seconds';
    const classed = ['method', 'status_class'];
    expect(valuesOf(series, `${duration}_count`, classed)).toEqual({
      'GET 2xx': 2,
      'GET 4xx': 1,
      'GET aborted': 1,
      'other 4xx': 2,
    });
    expect(valuesOf(series, `${duration}_sum`, classed)['GET 2xx']).toBeCloseTo(0.014);
    expect(valuesOf(series, `${duration}_bucket`, ['status_class', 'le'])).toMatchObject({
      '2xx 0.005': 0,
      '2xx 0.01': 2,
      '2xx +Inf': 2,
    });
    expect(valuesOf(series, 'telcouch_http_requests_in_flight', [])).toEqual({ '': 1 });
  });

  test('of the application that starts and of the one after it are one count', async () => {
    const registry = new Registry();
    const meterRequests = createRequestMetrics(registry);
    for (const meter of [meterRequests(declarePaths([])), meterRequests(paths)]) {
      meter.start();
      meter.end('GET', '/live', 200, 1);
    }
    const counts = valuesOf(await read(registry), 'telcouch_http_requests_total', ['route']);
    expect(counts).toEqual({ '/live': 2 });
  });
});

test('a count and a timing are the same for the same labels', async () => {
  const registry = new Registry();
  const countOf = createCounts(registry, { name: 'a_total', help: 'A.', labelNames: ['x', 'y'] });
  countOf({ x: '1', y: '2' }).value += 1;
  countOf({ y: '2', x: '1' }).value += 1;
  countOf({ x: '12', y: '' }).value += 1;
  const timingOf = createTimings(registry, { name: 'b', help: 'B.', labelNames: ['x'] }, [1, 2]);
  timingOf({ x: 'a "quoted"\\\n' }).observe(1000);
  timingOf({ x: 'a "quoted"\\\n' }).observe(2500);
  expect(await read(registry)).toEqual([
    { name: 'a_total', labels: { x: '1', y: '2' }, value: 2 },
    { name: 'a_total', labels: { x: '12', y: '' }, value: 1 },
    { name: 'b_bucket', labels: { x: 'a "quoted"\\\n', le: '1' }, value: 1 },
    { name: 'b_bucket', labels: { x: 'a "quoted"\\\n', le: '2' }, value: 1 },
    { name: 'b_bucket', labels: { x: 'a "quoted"\\\n', le: '+Inf' }, value: 2 },
    { name: 'b_sum', labels: { x: 'a "quoted"\\\n' }, value: 3.5 },
    { name: 'b_count', labels: { x: 'a "quoted"\\\n' }, value: 2 },
  ]);
});
