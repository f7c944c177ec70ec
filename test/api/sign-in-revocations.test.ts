import { toGregorian } from '../../src/core/gregorian.js';
import { newId } from '../../src/core/operation.js';
import { databases } from '../../src/couch/databases.js';
import { startTestService, type TestService } from '../support/service.js';

/** More than two pages of a sweep. */
const OVER = 1100;
const HOUR_MS = 3_600_000;

describe('ended tokens', () => {
  let service: TestService;

  beforeAll(async () => {
    service = await startTestService();
  });
  afterAll(() => service.stop());

  const database = () => service.couch.database(databases.tokenAuth);
  const revocation = (expiresMs: number) => ({
    _id: newId(),
    pvt_type: 'token_revocation',
    pvt_expires: toGregorian(expiresMs),
  });

  it('that are over are all forgotten by one sweep, and nothing else is', async () => {
    const kept = [
      revocation(Date.now() + HOUR_MS),
      { _id: newId(), pvt_type: 'token_auth', pvt_expires: 1 },
    ];
    const over = Array.from({ length: OVER }, () => revocation(Date.now() - HOUR_MS));
    await database().putMany([...over, ...kept]);
    expect(await service.services.refresh.tokens()).toBe(OVER);
    const left = (await database().listDocs({ limit: OVER })).map(({ _id }) => _id);
    expect(left.sort()).toEqual(kept.map(({ _id }) => _id).sort());
    expect(await service.services.refresh.tokens()).toBe(0);
  });

  it('may be swept by two processes at once', async () => {
    await database().putMany(Array.from({ length: 20 }, () => revocation(Date.now() - HOUR_MS)));
    const { tokens } = service.services.refresh;
    await Promise.all([tokens(), tokens(), tokens()]);
    expect(await tokens()).toBe(0);
  });
});
