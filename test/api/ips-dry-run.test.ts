import { failure, invalid, noSuch, success } from '../support/envelope.js';
import { details, HOST } from '../support/ip-pool.js';
import { HASH, REVISION } from '../support/revisions.js';
import { CUSTOMER, RESELLER, startTestService, type TestService } from '../support/service.js';
import { storeUrl } from '../support/store.js';
import {
  startWriteCountingProxy,
  type WriteCountingProxy,
} from '../support/write-counting-proxy.js';

const FREE = '203.0.113.1';
const ALSO_FREE = '203.0.113.2';
const HELD = '203.0.113.3';
const DRY = { dry_run: true };
const NEW_REVISION = `0-${'0'.repeat(32)}`;

const ips = `/v2/accounts/${CUSTOMER}/ips`;
const place = { zone: 'dry', host: HOST };
const free = (ip: string) => ({ [ip]: details(ip, 'dry') });
const held = (ip: string) => ({ [ip]: details(ip, 'dry', CUSTOMER) });

function readOnly(ip: string, more: object): object {
  const { ip: _, ...shown } = details(ip, 'dry') as { ip: string };
  const times = { created: expect.any(Number), modified: expect.any(Number) };
  return { _read_only: { ...shown, rev: expect.any(String), vsn: '1', ...times, ...more } };
}

describe('a dry run', () => {
  let proxy: WriteCountingProxy;
  let service: TestService;
  let token: string;

  beforeAll(async () => {
    proxy = await startWriteCountingProxy(storeUrl());
    service = await startTestService({ couchUrl: proxy.url });
    token = await service.tokenOf(1);
    const data = { ips: [FREE, ALSO_FREE, HELD], ...place };
    await service.call('PUT', '/v2/ips', { token, body: { data } });
    await service.call('POST', `${ips}/${HELD}`, { token });
    // What follows an assignment in the background is a write as well.
    await new Promise((resolve) => setTimeout(resolve, 200));
  });
  afterAll(async () => {
    await service.stop();
    await proxy.close();
  });

  /** The answer of a dry run, which must not have written anything. */
  async function dryRun(method: string, path: string, data?: object, headers = {}) {
    proxy.watch();
    const body = data === undefined ? {} : { body: { data } };
    const at = `${path}?dry_run=true`;
    const answer = await service.call(method, at, { token, headers, ...body });
    expect([method, path, [...proxy.landed]]).toEqual([method, path, []]);
    return answer;
  }

  it.each<[string, string, object | undefined, object, unknown]>([
    [
      'PUT',
      '/v2/ips',
      { ip: '203.0.113.9', ...place },
      readOnly('203.0.113.9', { rev: NEW_REVISION }),
      NEW_REVISION,
    ],
    [
      'PUT',
      '/v2/ips',
      { cidr: '203.0.113.2/31', ...place },
      {
        success: {},
        error: {
          [ALSO_FREE]: { message: 'datastore_conflict' },
          [HELD]: { message: 'datastore_conflict' },
        },
      },
      HASH,
    ],
    [
      'PUT',
      '/v2/ips',
      { ips: ['203.0.113.9', FREE], ...place },
      { success: free('203.0.113.9'), error: { [FREE]: { message: 'datastore_conflict' } } },
      HASH,
    ],
    ['DELETE', `/v2/ips/${FREE}`, undefined, readOnly(FREE, { deleted: true }), REVISION],
    ['PATCH', `/v2/ips/${HELD}`, { zone: 'other' }, details(HELD, 'other', CUSTOMER), REVISION],
    [
      'POST',
      ips,
      { ips: [FREE, ALSO_FREE] },
      { success: { ...held(FREE), ...held(ALSO_FREE) }, error: {} },
      HASH,
    ],
    ['POST', `${ips}/${FREE}`, undefined, { success: held(FREE), error: {} }, REVISION],
    [
      'POST',
      ips,
      { quantity: 2, zone: 'dry' },
      { success: { ...held(FREE), ...held(ALSO_FREE) }, error: {} },
      HASH,
    ],
    ['DELETE', ips, { ips: [HELD] }, { success: free(HELD), error: {} }, REVISION],
    ['DELETE', `${ips}/${HELD}`, undefined, { success: free(HELD), error: {} }, REVISION],
  ])(
    'of %s %s %j answers as the write does and writes nothing',
    async (method, path, data, shown, revision) => {
      const answer = await dryRun(method, path, data);
      expect(answer.status).toBe(200);
      expect(answer.body).toEqual(success(shown, { ...DRY, revision }));
    },
  );

  it('leaves everything as it was', async () => {
    const listed = await service.call('GET', '/v2/ips/all?zone=dry&ascending=true', { token });
    const rows = [held(HELD), free(FREE), free(ALSO_FREE)];
    expect(listed.body.data).toEqual(rows.flatMap((row) => Object.values(row)));
  });

  it('is refused what the write is refused', async () => {
    const conflict = failure(409, 'datastore_conflict', { message: 'conflicting documents' });
    expect((await dryRun('PUT', '/v2/ips', { ip: FREE, ...place })).body).toEqual(conflict);
    const absent = '203.0.113.99';
    expect((await dryRun('DELETE', `/v2/ips/${absent}`)).body).toEqual(noSuch(absent));
    expect((await dryRun('PATCH', `/v2/ips/${absent}`, {})).body).toEqual(noSuch(absent));
    const empty = await dryRun('PATCH', `/v2/ips/${FREE}`, { zone: '' });
    expect(empty.status).toBe(400);
    const theirs = await dryRun('POST', `/v2/accounts/${RESELLER}/ips/${HELD}`);
    expect(theirs.body).toEqual(
      invalid({
        'ips%2E0': { forbidden: { message: 'ip assigned to another account', value: HELD } },
      }),
    );
    const many = await dryRun('POST', ips, { quantity: 3, zone: 'dry' });
    const message = 'the zone dry has not so many available IPs';
    expect(many.body).toEqual(failure(409, 'pool_exhausted', { message }));
    const loose = await dryRun('DELETE', `${ips}/${FREE}`);
    expect(loose.body).toEqual(
      invalid({ 'ips%2E0': { superfluous: { message: 'ip not assigned', value: FREE } } }),
    );
  });

  it('checks If-Match, with the revision that another dry run has shown', async () => {
    const shown = await dryRun('PATCH', `/v2/ips/${FREE}`, { zone: 'x' });
    const right = { 'if-match': `"${shown.body.revision}"` };
    expect((await dryRun('DELETE', `/v2/ips/${FREE}`, undefined, right)).status).toBe(200);
    const stale = await dryRun('DELETE', `/v2/ips/${FREE}`, undefined, { 'if-match': '"1-0"' });
    expect(stale.status).toBe(412);
  });

  it('of anything but true and false is a 400; false is the write', async () => {
    const refused = await service.call('POST', `${ips}/${FREE}?dry_run=yes`, { token });
    expect(refused.status).toBe(400);
    const message = 'Value not found in enumerated list of values';
    expect(refused.body).toEqual(
      invalid({ dry_run: { enum: { message, target: ['true', 'false'], value: 'yes' } } }),
    );
    for (const text of ['', 'TRUE', '1', 'true&dry_run=true']) {
      const answer = await service.call('DELETE', `/v2/ips/${FREE}?dry_run=${text}`, { token });
      expect([text, answer.status]).toEqual([text, 400]);
    }
    const done = await service.call('POST', `${ips}/${FREE}?dry_run=false`, { token });
    expect(done.body).toEqual(success({ success: held(FREE), error: {} }, { revision: REVISION }));
    await service.call('DELETE', `${ips}/${FREE}`, { token });
  });
});
