import { join } from 'node:path';
import {
  type Browser,
  type BrowserContext,
  chromium,
  type Page,
  type Request,
} from 'playwright-core';
import { readRunning } from '../../src/embedded/credentials.js';
import { type CouchAnswer, type CouchCall, callCouch } from '../support/couch-call.js';
import { type ServiceProcess, startServiceProcess } from '../support/service-process.js';

export const ADMIN = { user: 'admin', password: 'a-fauxton-password' } as const;
const PATIENCE_MS = 10_000;
/** Long enough for a page to begin what it does after an answer. */
const SETTLE_MS = 100;
/** Names a folder that gets a picture of every page, for people who want to look at them. */
const PICTURES = process.env['FAUXTON_PICTURES'] ?? '';

/** Fauxton in a browser, in front of an embedded store with the demo data. */
export interface FauxtonBrowser {
  /** Opens a page (`/_all_dbs`) of somebody who has not logged in, or of the admin. */
  open(path: string, options?: { anonymous?: boolean }): Promise<FauxtonPage>;
  /** A call of the store as its admin, past the browser. */
  call(method: string, path: string, options?: CouchCall): Promise<CouchAnswer>;
  stop(): Promise<void>;
}

export interface FauxtonPage {
  readonly page: Page;
  /** `METHOD /path status` of every answer from 400 on. */
  readonly refused: readonly string[];
  goTo(path: string): Promise<void>;
  /** The text of the nth editor on the page. */
  readEditor(n?: number): Promise<string>;
  writeEditor(text: string, n?: number): Promise<void>;
  /** Waits for a notification with this text. */
  notified(text: string): Promise<void>;
  /** Takes a picture if pictures are wanted, closes the page and returns its complaints. */
  close(picture: string): Promise<readonly string[]>;
}

export async function startFauxton(executablePath: string): Promise<FauxtonBrowser> {
  const browser = await chromium.launch({
    executablePath,
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
  });
  const service = await startServiceProcess({
    env: { EMBEDDED_COUCHDB_USER: ADMIN.user, EMBEDDED_COUCHDB_PASSWORD: ADMIN.password },
  });
  const stop = async () => {
    await browser.close();
    await service.stop();
  };
  const base = await storeBase(service).catch(async (error: unknown) => {
    await stop();
    throw error;
  });
  const strangers = await browser.newContext({ viewport: { width: 1280, height: 900 } });
  const admins = await logIn(browser, base);
  const login = Buffer.from(`${ADMIN.user}:${ADMIN.password}`).toString('base64');
  return {
    open: (path, { anonymous = false } = {}) =>
      openPage(anonymous ? strangers : admins, base, path),
    call: (method, path, options) =>
      callCouch(method, path, options, { base, authorization: `Basic ${login}` }),
    stop,
  };
}

async function storeBase(service: ServiceProcess): Promise<string> {
  await service.ready();
  const running = await readRunning(service.dataDir);
  if (running === undefined) throw new Error('the embedded store does not say where it runs');
  return running.url;
}

/** A context with the admin's cookie, so that not every test has to fill in the form. */
async function logIn(browser: Browser, base: string): Promise<BrowserContext> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
  const { user: name, password } = ADMIN;
  await context.request.post(`${base}/_session`, { form: { name, password } });
  return context;
}

async function openPage(context: BrowserContext, base: string, path: string): Promise<FauxtonPage> {
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  const refused: string[] = [];
  const complaints: string[] = [];
  const running = new Set<Request>();
  await watch(page, base, { refused, complaints, running });
  const goTo = async (to: string) => {
    await page.goto(`${base}/_utils/#${to}`);
  };
  await goTo(path);
  return {
    page,
    refused,
    goTo,
    async readEditor(n = 0) {
      const text = await page.waitForFunction(`${editor(n)}?.getValue()`);
      return String(await text.jsonValue());
    },
    async writeEditor(text, n = 0) {
      await page.waitForFunction(editor(n));
      await page.evaluate(`${editor(n)}.setValue(${JSON.stringify(text)}, 1)`);
    },
    async notified(text) {
      await page.getByText(text).filter({ visible: true }).first().waitFor();
    },
    async close(picture) {
      await settle(page, running);
      if (PICTURES !== '') await page.screenshot({ path: join(PICTURES, `${picture}.png`) });
      // Closing breaks off what a page asks for again and again; that is no complaint of its.
      const soFar = [...complaints];
      await page.close();
      return soFar;
    },
  };
}

/** Waits until everything the page asked for is answered, so that no refusal comes too late. */
async function settle(page: Page, running: ReadonlySet<Request>): Promise<void> {
  const giveUpAt = Date.now() + PATIENCE_MS;
  do await page.waitForTimeout(SETTLE_MS);
  while (running.size > 0 && Date.now() < giveUpAt);
}

/** The nth editor, as an expression for the browser; typing would meet its automatic brackets. */
function editor(n: number): string {
  const element = `document.querySelectorAll('.ace_editor')[${n}]`;
  return `(${element} && window.ace.edit(${element}))`;
}

/** Notes whatever goes wrong, and keeps everybody but the store out of reach. */
async function watch(
  page: Page,
  base: string,
  notes: { refused: string[]; complaints: string[]; running: Set<Request> },
): Promise<void> {
  page.on('request', (request) => notes.running.add(request));
  page.on('requestfinished', (request) => notes.running.delete(request));
  page.on('requestfailed', (request) => notes.running.delete(request));
  page.on('response', (answer) => {
    const { pathname } = new URL(answer.url());
    if (answer.status() < 400) return;
    notes.refused.push(`${answer.request().method()} ${pathname} ${answer.status()}`);
  });
  page.on('console', (message) => {
    // A refused call is noted above, with the path that this line leaves out.
    if (message.text().startsWith('Failed to load resource')) return;
    if (['error', 'warning'].includes(message.type())) notes.complaints.push(message.text());
  });
  page.on('pageerror', (error) => notes.complaints.push(error.message));
  page.on('requestfailed', (request) => notes.complaints.push(`${request.url()} failed`));
  await page.route(
    (url) => url.origin !== base && !['data:', 'blob:'].includes(url.protocol),
    (route) => route.abort(),
  );
}
