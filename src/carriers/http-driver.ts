import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { ZodError, z } from 'zod';
import type { LineQuery } from '../core/carrier.js';
import { parseDeviceId } from '../core/device-id.js';
import { parseMdn } from '../core/mdn.js';
import { parseSim } from '../core/sim.js';
import type { CarrierAddress, CarrierDriver, CarrierSettings, DriverDeps } from './driver.js';
import { away, badAnswer, noSuchFile, notConfigured, timedOut } from './errors.js';
import { createHttpClient, type HttpAnswer, type HttpClient } from './http-client.js';
import {
  readEquipment,
  readFiles,
  readHealth,
  readLine,
  readMessages,
  USAGE_FILE_NAME,
} from './http-wire.js';

/** The longest usage file, unpacked: some ten million records. */
const FILE_BYTES_MAX = 1024 * 1024 * 1024;
/** A carrier that sends less than this in a millisecond, bytes, is as good as silent … */
const BYTES_PER_MS_MIN = 10;
/** … once that has cost as much time as so many calls may take. */
const SLOW_CALLS_MAX = 12;
/** Ids in one acknowledgement. */
const ACK_MAX = 500;

const timeoutSetting = z.int().min(100).max(120_000).optional();
const httpSettings = z.object({ url: z.string(), timeout_ms: timeoutSetting });
const sandboxSettings = z.object({ timeout_ms: timeoutSetting });

/** A carrier at a URL of its own: `{ driver: "http", url, timeout_ms? }` and a sealed key. */
export function createHttpDriver(carrier: CarrierSettings, deps: DriverDeps): CarrierDriver {
  const { name } = carrier;
  const settings = httpSettings.safeParse(carrier.settings);
  const url = settings.success ? readUrl(settings.data.url) : undefined;
  if (!settings.success || url === undefined) {
    const what = 'it needs url (http or https, without user and query) and maybe timeout_ms';
    throw notConfigured(name, what);
  }
  const apiKey = carrier.openKey();
  if (apiKey === undefined || !/^[\x21-\x7e]{1,512}$/.test(apiKey)) {
    throw notConfigured(name, 'it has no key that fits into a header');
  }
  const timeoutMs = settings.data.timeout_ms ?? carrier.timeoutMs;
  return createDriverAt(name, deps, timeoutMs, async () => ({ url, apiKey }));
}

/** The sandbox carrier that runs for our data folder, on whatever port: `{ driver: "sandbox" }`. */
export function createSandboxDriver(carrier: CarrierSettings, deps: DriverDeps): CarrierDriver {
  const { name } = carrier;
  const settings = sandboxSettings.safeParse(carrier.settings);
  if (!settings.success) throw notConfigured(name, 'timeout_ms is 100 to 120000');
  const timeoutMs = settings.data.timeout_ms ?? carrier.timeoutMs;
  return createDriverAt(name, deps, timeoutMs, async () => {
    const address = await deps.findSandbox();
    if (address === undefined) throw away(name);
    return address;
  });
}

function createDriverAt(
  carrier: string,
  { dispatcher }: DriverDeps,
  timeoutMs: number,
  findAddress: () => Promise<CarrierAddress>,
): CarrierDriver {
  const client = createHttpClient({ carrier, findAddress, timeoutMs, dispatcher });

  /** An answer of the wrong shape is the carrier's fault; zod's text would quote it. */
  function reading<T>(read: (answer: unknown) => T): (answer: unknown) => T {
    return (answer) => {
      try {
        return read(answer);
      } catch (error) {
        if (!(error instanceof ZodError)) throw error;
        const where = error.issues.slice(0, 3).map(({ path }) => path.map(shownName).join('.'));
        throw badAnswer(carrier, `not as agreed at ${where.join(', ')}`);
      }
    };
  }

  async function must<T>(path: string, read: (answer: unknown) => T): Promise<T> {
    const answer = await client.call({ path }, (body) => ({ value: reading(read)(body) }));
    if (answer === undefined) throw badAnswer(carrier, 'it has no such list');
    return answer.value;
  }

  return {
    lookup(query) {
      const [kind, value] = identifierOf(query);
      const path = `/v1/lines?${kind}=${encodeURIComponent(value)}`;
      return client.call({ path, absentCode: 'no_such_line' }, (answer) => {
        const line = reading(readLine)(answer);
        const told = line[kind];
        if (told === null || !isSame(kind, told, value)) {
          throw badAnswer(carrier, 'it is about another line');
        }
        return line;
      });
    },
    async equipment(esn) {
      // Dots alone would lead to another path; and no device has any.
      if (!/^[A-Za-z0-9-]{1,64}$/.test(esn)) return undefined;
      const path = `/v1/equipment/${encodeURIComponent(esn)}`;
      return client.call({ path, absentCode: 'no_such_equipment' }, (answer) => {
        const told = reading(readEquipment)(answer);
        if (!isSame('esn', told.esn, esn)) throw badAnswer(carrier, 'it is about another device');
        return told.equipment;
      });
    },
    fetchPortMessages: (after, limit) =>
      must(`/v1/port-messages?limit=${limit}${afterParameter(after)}`, readMessages),
    async ackPortMessages(ids) {
      for (let n = 0; n < ids.length; n += ACK_MAX) {
        const body = { ids: ids.slice(n, n + ACK_MAX) };
        await client.call({ path: '/v1/port-messages/ack', body }, () => true);
      }
    },
    listUsageFiles: (after) => {
      const parameter = afterParameter(after).replace('&', '?');
      return must(`/v1/usage-files${parameter}`, readFiles);
    },
    openUsageFile: (name) => readUsageFile(client, carrier, { name, timeoutMs }),
    health: () => must('/v1/health', readHealth),
  };
}

/**
 * Reads on while the caller takes; when it stops taking, the transfer ends. What a carrier drips
 * for ever ends too, or it would keep the other carriers from being polled.
 */
async function* readUsageFile(
  client: HttpClient,
  carrier: string,
  { name, timeoutMs }: { readonly name: string; readonly timeoutMs: number },
): AsyncGenerator<Buffer> {
  if (!USAGE_FILE_NAME.test(name)) throw badAnswer(carrier, 'a usage file with such a name');
  const path = `/v1/usage-files/${encodeURIComponent(name)}`;
  const answer = await client.open({ path, absentCode: 'no_such_file' });
  if (answer === undefined) throw noSuchFile(carrier, name);
  const bytes = unpack(answer);
  if (bytes === undefined) {
    answer.body.destroy();
    throw badAnswer(carrier, 'a usage file that is neither CSV nor gzip');
  }
  let size = 0;
  let waitedMs = 0;
  let since = Date.now();
  try {
    for await (const chunk of bytes) {
      size += chunk.length;
      waitedMs += Date.now() - since;
      if (size > FILE_BYTES_MAX) throw badAnswer(carrier, 'a usage file that is too large');
      if (waitedMs > SLOW_CALLS_MAX * timeoutMs + size / BYTES_PER_MS_MIN) throw timedOut(carrier);
      yield chunk;
      since = Date.now();
    }
  } catch (error) {
    throw client.translate(error);
  } finally {
    answer.body.destroy();
  }
}

function unpack({ contentType, contentEncoding, body }: HttpAnswer) {
  const isCsv = /^text\/csv\b/i.test(contentType);
  const isPacked = /^application\/(x-)?gzip\b/i.test(contentType) || contentEncoding === 'gzip';
  if (isPacked && (isCsv || contentEncoding === '')) {
    // Its errors come out of the iteration; the callback is there so that they end nothing else.
    const unpacked: AsyncIterable<Buffer> = pipeline(body, createGunzip(), () => undefined);
    return unpacked;
  }
  return isCsv && contentEncoding === '' ? (body as AsyncIterable<Buffer>) : undefined;
}

/** Some names are the carrier's own choice: of any length, and of nobody's business. */
function shownName(name: PropertyKey): string {
  const text = String(name);
  return /^[a-z0-9_]{1,20}$/.test(text) ? text : '…';
}

function afterParameter(after: string | undefined): string {
  return after === undefined ? '' : `&after=${encodeURIComponent(after)}`;
}

function identifierOf(query: LineQuery): readonly ['mdn' | 'esn' | 'sim', string] {
  if (query.mdn !== undefined) return ['mdn', query.mdn];
  if (query.sim !== undefined) return ['sim', query.sim];
  return ['esn', query.esn];
}

const PARSERS = {
  mdn: parseMdn,
  esn: (text: string) => parseDeviceId(text, { strict: false })?.id,
  sim: parseSim,
};

/** Carriers have spellings of their own. */
function isSame(kind: 'mdn' | 'esn' | 'sim', told: string, asked: string): boolean {
  const parse = PARSERS[kind];
  return (parse(told) ?? told) === (parse(asked) ?? asked);
}

function readUrl(text: string): string | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) return undefined;
  if (url.username + url.password + url.search + url.hash !== '') return undefined;
  return `${url.origin}${url.pathname}`.replace(/\/+$/, '');
}
