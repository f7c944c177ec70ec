import { CUSTOMER, startTestService, type TestService } from '../support/service.js';

describe('dedicated IPs', () => {
  let service: TestService;
  let token: string;

  beforeAll(async () => {
    service = await startTestService();
    token = await service.tokenOf(1);
  });
  afterAll(() => service.stop());

  it('lists one available address by default', async () => {
    const answer = await service.call('GET', `/v2/accounts/${CUSTOMER}/ips?zone=us-east`, {
      token,
    });
    expect(answer.status).toBe(200);
    expect(answer.body.data).toEqual([{ ip: '1.2.3.4', zone: 'us-east' }]);
  });
});
