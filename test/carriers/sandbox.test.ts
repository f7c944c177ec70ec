import { request } from 'node:http';
import { gunzipSync } from 'node:zlib';
import { parseDeviceId } from '../../src/core/device-id.js';
import { parseMdn } from '../../src/core/mdn.js';
import { parseSim } from '../../src/core/sim.js';
import { type CarrierSandbox, startSandbox } from '../support/carrier-sandbox.js';

const MDN = '+14157487153';

let sandbox: CarrierSandbox;
beforeAll(async () => {
  sandbox = await startSandbox({ hasDemoContent: true });
});
afterAll(async () => {
  await sandbox?.stop();
});

/** What a path answers, as bytes; node:http, because fetch would set its own Host. */
function ask(
  path: string,
  options: { headers?: Record<string, string>; method?: string; body?: string } = {},
): Promise<{ status: number; headers: Record<string, unknown>; body: Buffer }> {
  return new Promise((resolve, reject) => {
    const asked = request(`${sandbox.url}${path}`, {
      method: options.method ?? 'GET',
      agent: false,
      headers: { 'x-api-key': sandbox.apiKey, ...options.headers },
    });
    asked.once('error', reject);
    asked.once('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk)).once('error', reject);
      response.once('end', () => {
        const { statusCode = 0, headers } = response;
        resolve({ status: statusCode, headers, body: Buffer.concat(chunks) });
      });
    });
    asked.end(options.body);
  });
}

async function askJson(path: string): Promise<unknown> {
  return JSON.parse((await ask(path)).body.toString());
}

describe('the API', () => {
  test('finds the demo lines by any spelling of any identifier', async () => {
    const line = {
      mdn: MDN,
      esn: 'A10000009296F2',
      sim: null,
      imsi: null,
      plan: '260PLAN1',
      features: ['international', 'sip', 'mms', 'tethering'],
      carrier_data: { msid: '000004156375241', csa: 'SFRSFR415' },
      activation_date: 63746871056,
      suspended: false,
    };
    for (const query of [
      'mdn=%2B14157487153',
      'mdn=4157487153',
      'esn=a10000009296f2',
      'esn=270113177609606898',
    ]) {
      expect([query, await askJson(`/v1/lines?${query}`)]).toEqual([query, { line }]);
    }
  });

  test('has demo lines whose identifiers the service can read', async () => {
    const lines = await sandbox.listLines();
    expect(lines).toHaveLength(6);
    const unread = lines.filter(
      ({ mdn, esn, sim }) =>
        (mdn !== null && parseMdn(mdn) === undefined) ||
        (esn !== null && parseDeviceId(esn, { strict: true }) === undefined) ||
        (sim !== null && parseSim(sim) === undefined),
    );
    expect(unread).toEqual([]);
  });

  test('says what is wrong with a question', async () => {
    const error = (code: string, message: string) => ({ error: { code, message } });
    expect(await askJson('/v1/lines?mdn=1&esn=2')).toEqual(
      error('bad_query', 'name exactly one of mdn, esn and sim'),
    );
    expect(await askJson('/v1/port-messages?limit=501')).toEqual(
      error('bad_query', 'after is a cursor, limit 1 to 500'),
    );
    expect(await askJson('/v1/lines?sim=89000000000000000000')).toEqual(
      error('no_such_line', 'there is no such line'),
    );
    expect(await askJson('/v1/nonsense')).toEqual(error('not_found', 'there is no such path'));
    const ack = await ask('/v1/port-messages/ack', { method: 'POST', body: '{"ids":' });
    expect([ack.status, JSON.parse(ack.body.toString())]).toEqual([
      400,
      error('bad_body', 'the body cannot be read'),
    ]);
  });

  test('answers nobody without the key, and notes even that', async () => {
    await sandbox.clearJournal();
    await sandbox.setFault({ kind: 'error' });
    const answer = await ask(`/v1/lines?mdn=${MDN}`, { headers: { 'x-api-key': 'wrong' } });
    await sandbox.clearFaults();
    expect(answer.status).toBe(401);
    expect(await sandbox.journal()).toEqual([
      {
        n: expect.any(Number),
        at: expect.stringMatching(/^\d{4}-.*Z$/),
        method: 'GET',
        path: '/v1/lines',
        query: { mdn: ' 14157487153' },
        request_id: null,
        fault: null,
        status: 401,
      },
    ]);
  });

  test('keeps little of what strangers ask, however long it is', async () => {
    await sandbox.clearJournal();
    const many = Array.from({ length: 100 }, (_, n) => `p${n}=${'x'.repeat(20)}`).join('&');
    const headers = { 'x-api-key': 'wrong' };
    await ask(`/v1/${'a'.repeat(5000)}?mdn=${'1'.repeat(5000)}&${many}`, { headers });
    const [entry] = await sandbox.journal();
    expect(entry?.status).toBe(401);
    expect(JSON.stringify(entry).length).toBeLessThan(1500);
  });

  test('has usage of this month and the last, packed CSV, also of unknown numbers', async () => {
    const now = new Date();
    const months = [now.getUTCMonth() - 1, now.getUTCMonth()].map((month) =>
      new Date(Date.UTC(now.getUTCFullYear(), month)).toISOString().slice(0, 7).replace('-', ''),
    );
    const { files } = (await askJson('/v1/usage-files')) as { files: { name: string }[] };
    expect(months.map((month) => `usage-${month}.csv`)).toEqual(
      expect.arrayContaining(files.map(({ name }) => name)),
    );
    const answer = await ask(`/v1/usage-files/usage-${months[0]}.csv`);
    expect(answer.headers).toMatchObject({
      'content-type': 'text/csv; charset=utf-8',
      'content-encoding': 'gzip',
    });
    const rows = gunzipSync(answer.body).toString().trimEnd().split('\r\n');
    expect(rows[0]).toBe('session_id,record_type,start,end,mdn,imsi,iccid,bytes');
    const mdns = new Set(rows.slice(1).map((row) => row.split(',')[4]));
    expect([...mdns]).toEqual(expect.arrayContaining([MDN, '+15550001111', '+14155550190']));
  });
});

describe('the control endpoint', () => {
  test('takes the key from this machine alone', async () => {
    expect((await ask('/control/lines', { headers: { 'x-api-key': '' } })).status).toBe(401);
    const rebound = await ask('/control/lines', { headers: { host: 'evil.example' } });
    expect(rebound.status).toBe(403);
    expect((await ask('/control/lines')).status).toBe(200);
  });

  test('refuses what does not fit and changes nothing', async () => {
    const before = await sandbox.listLines();
    const answer = await sandbox.control('POST', 'lines', {
      lines: [{ mdn: '+14155550177' }, { mdn: 5, plan: 'x', nonsense: 1 }],
    });
    expect(answer.status).toBe(400);
    expect(await sandbox.listLines()).toEqual(before);
    const fault = await sandbox.control('POST', 'faults', { faults: [{ kind: 'gremlins' }] });
    expect(fault.status).toBe(400);
  });

  test('replaces whatever line had one of the identifiers', async () => {
    await sandbox.addLine({ mdn: '+14155550170', esn: '2DF812CB' }, { mdn: '+14155550171' });
    await sandbox.addLine({ mdn: '4155550171', esn: '04516257739' });
    const held = (await sandbox.listLines()).filter(({ mdn }) => mdn?.includes('415555017'));
    expect(held.map(({ mdn, esn }) => [mdn, esn])).toEqual([['4155550171', '04516257739']]);
    await sandbox.dropLine('mdn', '+14155550171');
    expect((await askJson('/v1/lines?esn=2DF812CB')) as object).toHaveProperty('error');
  });

  test('puts usage behind a file, which is then listed again', async () => {
    const record = {
      session_id: 's1',
      start: '2026-11-01T00:00:00Z',
      end: '2026-11-01T01:00:00Z',
      mdn: MDN,
      bytes: 10,
    };
    await sandbox.addUsageFile('grows.csv', [record]);
    const { cursor } = (await askJson('/v1/usage-files')) as { cursor: string };
    await sandbox.appendUsage('grows.csv', [{ ...record, session_id: 's2, "quoted"' }]);
    expect(await askJson(`/v1/usage-files?after=${cursor}`)).toEqual({
      files: [{ name: 'grows.csv', size: expect.any(Number), records: 2 }],
      cursor: expect.any(String),
    });
    const text = gunzipSync((await ask('/v1/usage-files/grows.csv')).body).toString();
    expect(text.split('\r\n').slice(1)).toEqual([
      `s1,final,2026-11-01T00:00:00Z,2026-11-01T01:00:00Z,${MDN},,,10`,
      `"s2, ""quoted""",final,2026-11-01T00:00:00Z,2026-11-01T01:00:00Z,${MDN},,,10`,
      '',
    ]);
  });
});

describe('the page', () => {
  test('shows lines, faults and requests, as text and under a strict policy', async () => {
    await sandbox.addLine({ mdn: '+14155550188', plan: '<script>alert(1)</script>' });
    await ask('/v1/lines?sim=<b>');
    await sandbox.setFault({ kind: 'hang', path: '/v1/equipment' });
    const answer = await ask('/', { headers: { 'x-api-key': '' } });
    await sandbox.clearFaults();
    const text = answer.body.toString();
    expect(answer.headers['content-security-policy']).toBe(
      "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; " +
        "frame-ancestors 'none'",
    );
    expect(text).toContain('<td>&lt;script&gt;alert(1)&lt;/script&gt;</td>');
    expect(text).toContain('<td>hang</td><td>/v1/equipment</td><td>1</td>');
    expect(text).toContain('<td>/v1/lines?sim=%3Cb%3E</td>');
    expect(text).not.toContain('<script');
    expect(text).not.toContain(sandbox.apiKey);
  });

  test('is for this machine alone', async () => {
    expect((await ask('/', { headers: { host: 'rebound.example:8050' } })).status).toBe(403);
  });
});
