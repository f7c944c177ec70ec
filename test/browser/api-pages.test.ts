import { type Browser, chromium, type Page } from 'playwright-core';
import { startTestService, type TestService } from '../support/service.js';

const EXECUTABLE = process.env['CHROMIUM_PATH'] ?? '';
// Jest counts what is skipped, so a run without a browser says so.
const describeWithBrowser = EXECUTABLE === '' ? describe.skip : describe;

interface Seen {
  readonly page: Page;
  /** Everything the page asked for, and what the browser complained about. */
  readonly requests: string[];
  readonly complaints: string[];
}

describeWithBrowser('the API pages', () => {
  let service: TestService;
  let browser: Browser;

  beforeAll(async () => {
    service = await startTestService();
    browser = await chromium.launch({
      executablePath: EXECUTABLE,
      args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
    });
  });
  afterAll(async () => {
    await browser.close();
    await service.stop();
  });

  /** Opens a path with nothing but this service within reach. */
  async function open(path: string): Promise<Seen> {
    const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
    const requests: string[] = [];
    const complaints: string[] = [];
    page.on('request', (request) => requests.push(request.url()));
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
    });
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('requestfailed', (request) => complaints.push(`${request.url()} failed`));
    await page.route(
      (url) => url.origin !== service.url && url.protocol !== 'data:',
      (route) => route.abort(),
    );
    await page.goto(`${service.url}${path}`);
    await page.waitForSelector('.opblock');
    return { page, requests, complaints };
  }

  it('shows every operation without asking anybody else', async () => {
    const { page, requests, complaints } = await open('/docs');
    expect(new URL(page.url()).pathname).toBe('/docs/');
    expect(await page.title()).toBe('telcouch API');
    const answer = await fetch(`${service.url}/docs/openapi.json`);
    const documented = (await answer.json()) as { paths: Record<string, object> };
    const wanted = Object.values(documented.paths).flatMap((path) => Object.keys(path));
    expect(await page.locator('.opblock').count()).toBe(wanted.length);
    const path = page.locator('.opblock-summary-path', { hasText: '/v2/ips/{ip}' }).first();
    expect(await path.isVisible()).toBe(true);
    const foreign = requests.filter((url) => {
      const { origin, protocol } = new URL(url);
      return origin !== service.url && protocol !== 'data:';
    });
    expect(foreign).toEqual([]);
    expect(complaints).toEqual([]);
    await page.close();
  });

  it('opens an operation with its parameters and answers', async () => {
    const { page, complaints } = await open('/docs/');
    const block = page.locator('.opblock', { hasText: 'Assign a single IP to the account' });
    await block.locator('.opblock-summary').click();
    await block.locator('.opblock-body').waitFor();
    const text = (await block.textContent()) ?? '';
    for (const part of ['account_id', 'ip', 'Responses', '200', '4XX']) {
      expect(text.toLowerCase()).toContain(part.toLowerCase());
    }
    expect(complaints).toEqual([]);
    await page.close();
  });

  it('calls an operation from the page with a token', async () => {
    const { page, complaints } = await open('/docs/');
    const token = await service.tokenOf(1);
    await page.locator('.btn.authorize').first().click();
    await page.locator('.auth-container input').first().fill(token);
    await page.locator('.auth-container button[type=submit]').first().click();
    await page.locator('.btn-done').first().click();
    const block = page.locator('.opblock', { hasText: '/v2/ips/zones' }).first();
    await block.locator('.opblock-summary').click();
    await block.locator('.try-out__btn').click();
    const answered = page.waitForResponse((response) => response.url().endsWith('/v2/ips/zones'));
    await block.locator('.execute').click();
    expect((await answered).status()).toBe(200);
    await block.locator('.live-responses-table').waitFor();
    expect(await block.locator('.live-responses-table').textContent()).toContain('us-east');
    expect(complaints).toEqual([]);
    await page.close();
  });
});
