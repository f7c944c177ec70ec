import { request } from 'node:http';
import { startTestService, type TestService } from '../support/service.js';

describe('a body without an end', () => {
  let service: TestService;

  beforeAll(async () => {
    service = await startTestService();
  });
  afterAll(() => service.stop());

  /** Sends chunks of 64 KiB until the answer is there; its status. */
  function pour(): Promise<number | undefined> {
    return new Promise((resolve) => {
      const pouring = request(`${service.url}/v2/api_auth`, { method: 'PUT' }, (answer) => {
        answer.resume();
        resolve(answer.statusCode);
        pouring.destroy();
      });
      // After the answer the service closes the connection, as it has to.
      pouring.on('error', () => resolve(undefined));
      const chunk = Buffer.alloc(64 * 1024);
      const next = (left: number): void => {
        if (left > 0 && !pouring.destroyed) pouring.write(chunk, () => next(left - 1));
      };
      next(400);
    });
  }

  it('is refused, and the service goes on', async () => {
    for (let n = 0; n < 5; n += 1) expect([413, undefined]).toContain(await pour());
    const answer = await service.call('GET', '/live');
    expect(answer.status).toBe(200);
    const refused = service.logLines.filter((line) => line.includes('"status":413'));
    expect(refused.length).toBeGreaterThanOrEqual(5);
    expect(service.logLines.filter((line) => line.includes('"level":"error"'))).toEqual([]);
  });
});
