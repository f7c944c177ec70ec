import { readFileSync } from 'node:fs';
import { openApiText } from '../../src/openapi.js';
import { describeOthers } from '../../src/other-surfaces.js';
import { createRoutes } from '../../src/routes.js';
import { callRaw } from '../support/raw-call.js';
import { startTestService, type TestService } from '../support/service.js';

interface Operation {
  readonly operationId: string;
  readonly tags: readonly string[];
  readonly parameters?: readonly { readonly in: string; readonly name: string }[];
}

interface Document {
  readonly info: { readonly version: string };
  readonly tags: readonly { readonly name: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

/** As the routes make it; the first test says whether the committed one is the same. */
const current = JSON.parse(openApiText()) as Document;

/** `src`, `href` and `url(…)` of a page or style sheet. */
function linksOf(text: string): string[] {
  const quoted = [...text.matchAll(/(?:src|href)\s*=\s*["']([^"']+)["']/g)];
  const styled = [...text.matchAll(/url\(\s*["']?([^"')]+)["']?\s*\)/g)];
  return [...quoted, ...styled].map(([, link]) => String(link));
}

describe('the API document', () => {
  let service: TestService;

  beforeAll(async () => {
    service = await startTestService();
  });
  afterAll(() => service.stop());

  it('that is committed is the one the routes make; if not: npm run openapi', () => {
    const isCurrent = readFileSync('docs/openapi.json', 'utf8') === openApiText();
    expect(isCurrent ? 'current' : 'docs/openapi.json is old: run `npm run openapi`').toBe(
      'current',
    );
  });

  it('is what the service shows, but for the version', async () => {
    const answer = await callRaw(service.url, 'GET', '/docs/openapi.json');
    expect(answer.status).toBe(200);
    expect(answer.headers['content-type']).toMatch(/^application\/json/);
    expect(answer.body.info.version).toBe('0.0.0-test');
    const info = { ...answer.body.info, version: current.info.version };
    expect({ ...answer.body, info }).toEqual(current);
  });

  it('has every route once, under a name of its own, with every parameter of its path', () => {
    const routes = createRoutes(service.services, Date.now);
    const names = routes.map(({ operationId }) => operationId);
    expect(names.filter((name, n) => names.indexOf(name) !== n)).toEqual([]);
    for (const { method, path, operationId } of routes) {
      const operation = current.paths[`/v2${path}`]?.[method.toLowerCase()];
      expect(operation?.operationId).toBe(operationId);
      const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => String(name));
      const declared = (operation?.parameters ?? []).filter((one) => one.in === 'path');
      expect(declared.map(({ name }) => name).sort()).toEqual(inPath.sort());
    }
    const below = Object.entries(current.paths).filter(([path]) => path.startsWith('/v2/'));
    const operations = below.flatMap(([, path]) => Object.values(path));
    expect(operations.filter(({ operationId }) => operationId !== undefined)).toHaveLength(
      routes.length,
    );
    const all = Object.values(current.paths).flatMap((path) => Object.values(path));
    const ids = all.flatMap(({ operationId }) => operationId ?? []);
    expect(ids.filter((id, n) => ids.indexOf(id) !== n)).toEqual([]);
    const others = describeOthers(service.services).flatMap(({ paths }) =>
      Object.values(paths).flatMap((path) => Object.keys(path)),
    );
    expect(others.length).toBeGreaterThan(10);
    // Health has two pages, metrics have one.
    expect(ids).toHaveLength(routes.length + others.length + 3);
  });

  it('has the header for the cluster where the level is one in a cluster, and nowhere else', () => {
    const ref = { $ref: '#/components/parameters/ClusterId' };
    const routes = createRoutes(service.services, Date.now);
    for (const { method, path, allow } of routes) {
      const given = current.paths[`/v2${path}`]?.[method.toLowerCase()]?.parameters ?? [];
      const isThere = given.some((each) => JSON.stringify(each) === JSON.stringify(ref));
      expect([path, isThere]).toEqual([path, allow.needsCluster === true]);
    }
  });

  it('explains every tag that an operation has', () => {
    const operations = Object.values(current.paths).flatMap((path) => Object.values(path));
    const used = new Set(operations.flatMap(({ tags = [] }) => tags));
    expect([...used].sort()).toEqual(current.tags.map(({ name }) => name).sort());
  });
});

describe('the API pages', () => {
  let service: TestService;

  beforeAll(async () => {
    service = await startTestService();
  });
  afterAll(() => service.stop());

  const get = (path: string) => callRaw(service.url, 'GET', path);

  it('are where the root and /docs lead', async () => {
    const root = await get('/');
    expect([root.status, root.headers['location']]).toEqual([302, '/docs/']);
    const bare = await get('/docs');
    expect([bare.status, bare.headers['location']]).toEqual([308, '/docs/']);
  });

  it('are a page whose links all lead to files of our own, under a strict policy', async () => {
    const page = await get('/docs/');
    expect(page.status).toBe(200);
    expect(page.headers['content-type']).toMatch(/^text\/html/);
    const policy = String(page.headers['content-security-policy']);
    expect(policy).toContain("default-src 'self'");
    expect(policy).toContain("script-src 'self'");
    const links = linksOf(page.text);
    expect(links.length).toBeGreaterThanOrEqual(4);
    for (const link of links) {
      expect(link).toMatch(/^[a-z0-9./-]+$/);
      const asset = await get(new URL(link, 'http://own.test/docs/').pathname);
      expect([link, asset.status]).toEqual([link, 200]);
      expect(asset.text.length).toBeGreaterThan(0);
    }
    expect(page.text).not.toMatch(/<script>|\son\w+=|javascript:/);
  });

  it('need nothing from elsewhere: styles and script name no other origin to load', async () => {
    const style = await get('/docs/assets/swagger-ui.css');
    const foreign = linksOf(style.text).filter((link) => !/^(data:|#)/.test(link));
    expect(foreign).toEqual([]);
    const start = await get('/docs/start.js');
    expect(start.headers['content-type']).toMatch(/javascript/);
    expect(start.text).not.toContain('//');
  });

  it('show no other files, whatever the path says', async () => {
    for (const path of [
      '/docs/nothing',
      '/docs/assets/',
      '/docs/assets/../../package.json',
      '/docs/assets/%2e%2e/%2e%2e/package.json',
      '/docs/assets/..%2f..%2fpackage.json',
      '/docs/assets/%00',
      '/docs/assets/.npmrc',
    ]) {
      const answer = await get(path);
      expect([path, answer.status >= 400 && answer.status < 500]).toEqual([path, true]);
      expect(answer.text).not.toContain('dependencies');
      expect(answer.text).not.toMatch(/node_modules|Error:|at /);
    }
  });
});
