import type { TestService } from './service.js';

/** The host of every address that the pool of a test makes. */
export const HOST = 'proxy.example.net';

/** Details of an address as the page shows them; with an account when that holds it. */
export function details(ip: string, zone: string, accountId?: string, host = HOST): object {
  return {
    ...(accountId === undefined ? {} : { assigned_to: accountId }),
    host,
    id: ip,
    ip,
    status: accountId === undefined ? 'available' : 'assigned',
    type: 'dedicated_ip',
    zone,
  };
}

/** Kazoo's data of one fault in a list of addresses. */
export function fault(n: number, rule: string, message: string, value: string): object {
  return { [`ips%2E${n}`]: { [rule]: { message, value } } };
}

/** Adds addresses that no other test of the file knows to the pool; `token` is the master's. */
export function createIpMaker(service: TestService, token: string) {
  let made = 0;
  return async (zone = 'test-zone'): Promise<string> => {
    made += 1;
    const ip = `10.0.${made >> 8}.${made & 255}`;
    const body = { data: { ip, zone, host: HOST } };
    const answer = await service.call('PUT', '/v2/ips', { token, body });
    expect(answer.status).toBe(201);
    return ip;
  };
}
