import type { Answer, CallOptions, TestService } from './service.js';

/** The base path of the surface. */
export const BASE = '/api/rest/public/operator';
export const LIST = `${BASE}/sip_device_routes`;
export const MEDIA_TYPE = 'application/vnd.api+json';
/** The SIP account of the page, in the demo data. */
export const PAGE_ID = 'c1c798dc-ee42-462e-8fca-0fa96d6fe3c0';

/** The header of a login. */
export function basic(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

/** The demo operator's. */
export const DEMO_LOGIN = basic('username', 'password');

/** Calls as the demo operator, with JSON:API's media type. */
export function callAs(service: TestService, authorization = DEMO_LOGIN) {
  return (method: string, path: string, options: CallOptions = {}): Promise<Answer> =>
    service.call(method, path, {
      ...options,
      headers: { authorization, 'content-type': MEDIA_TYPE, ...options.headers },
    });
}

/** An update of a SIP account's attributes. */
export function patchOf(id: string, attributes: object, more: object = {}): { body: object } {
  return { body: { data: { type: 'sip_device_routes', id, attributes, ...more } } };
}

/** An error object as this surface makes it. */
export function faultOf(
  status: number,
  code: string,
  title: string,
  detail: string,
  source?: { pointer: string } | { parameter: string },
): object {
  const fault = { status: String(status), code, title, detail };
  return source === undefined ? fault : { ...fault, source };
}

/** An account below the demo reseller (or another) that is a customer. */
export async function newCustomer(
  service: TestService,
  customerId: string,
  options: { parentId?: string; limit?: number } = {},
): Promise<string> {
  const parentId = options.parentId ?? 'c0ffee00000000000000000000000002';
  const fields = { name: `Customer ${customerId}`, realm: `${customerId}.example.com` };
  const { id } = await service.services.accounts.create(fields, { parentId });
  const limit = options.limit === undefined ? {} : { pvt_sip_account_limit: options.limit };
  await service.services.identifiers.set(id, { customer_id: customerId }, limit);
  return id;
}

/** Terms of a change that every SIP account meets in any state. */
export const ANY_TERMS = { isVisible: () => true, match: () => undefined };
