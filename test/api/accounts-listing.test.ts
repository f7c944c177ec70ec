import { forbidden, invalid, success } from '../support/envelope.js';
import { createAccount } from '../support/people.js';
import {
  CUSTOMER,
  demoKey,
  MASTER,
  RESELLER,
  startTestService,
  type TestService,
} from '../support/service.js';

const NAMES = ['alpha', 'Bravo', 'charlie', 'Delta', 'echo', 'Foxtrot', 'golf'];

describe('listing accounts', () => {
  let service: TestService;
  let master: string;
  let reseller: string;
  let parent: string;
  let other: string;
  const idOf = new Map<string, string>();

  beforeAll(async () => {
    service = await startTestService();
    [master, reseller] = await Promise.all([service.tokenOf(1), service.tokenOf(2)]);
    parent = await createAccount(service, RESELLER, { name: 'Parent', flags: ['vip'] });
    other = await createAccount(service, MASTER, { name: 'Other' });
    for (const name of NAMES) idOf.set(name, await createAccount(service, parent, { name }));
    const first = String(idOf.get('alpha'));
    idOf.set('hotel', await createAccount(service, first, { name: 'hotel' }));
    await createAccount(service, other, { name: 'Foreign' });
  });
  afterAll(() => service.stop());

  const get = (path: string, token = reseller) =>
    service.call('GET', `/v2/accounts/${path}`, { token });

  it('shows children with their descendants counted, highest name first', async () => {
    const answer = await get(`${RESELLER}/children`);
    expect(answer.status).toBe(200);
    const rows = [
      {
        id: parent,
        name: 'Parent',
        realm: expect.any(String),
        descendants_count: NAMES.length + 1,
        flags: ['vip'],
      },
      {
        id: CUSTOMER,
        name: 'Demo Customer',
        realm: 'customer.demo.telcouch',
        descendants_count: 0,
        flags: [],
      },
      {
        id: expect.any(String),
        name: 'Demo Branch',
        realm: 'branch.demo.telcouch',
        descendants_count: 0,
        flags: [],
      },
    ];
    expect(answer.body).toEqual(success(rows, { page_size: 3 }));
    const ascending = await get(`${RESELLER}/children?ascending=true`);
    expect(ascending.body.data).toEqual([...answer.body.data].reverse());
  });

  it('shows descendants with their trees', async () => {
    const alpha = String(idOf.get('alpha'));
    const answer = await get(`${parent}/descendants?ascending=true`);
    const hotel = answer.body.data.find((row: { name: string }) => row.name === 'hotel');
    expect(hotel).toEqual({
      id: idOf.get('hotel'),
      name: 'hotel',
      realm: expect.any(String),
      tree: [MASTER, RESELLER, parent, alpha],
      flags: [],
    });
    const ids = answer.body.data.map((row: { id: string }) => row.id).sort();
    expect(ids).toEqual([...idOf.values()].sort());
    expect(answer.body.page_size).toBe(NAMES.length + 1);
  });

  it.each([
    ['children', 'true', 3],
    ['children', 'false', 3],
    ['descendants', 'true', 1],
    ['descendants', 'false', 2],
  ])(
    'pages through %s (ascending=%s) %i at a time, each row once',
    async (list, ascending, size) => {
      const whole = await get(`${parent}/${list}?ascending=${ascending}`);
      expect(whole.body).not.toHaveProperty('next_start_key');
      const seen: unknown[] = [];
      let start = '';
      for (let page = 0; page < 20; page += 1) {
        const query = `page_size=${size}&ascending=${ascending}${start}`;
        const { body } = await get(`${parent}/${list}?${query}`);
        expect(body.page_size).toBe(body.data.length);
        expect(body.start_key).toBe(start === '' ? undefined : start.slice('&start_key='.length));
        seen.push(...body.data);
        if (body.next_start_key === undefined) break;
        expect(body.data).toHaveLength(size);
        start = `&start_key=${body.next_start_key}`;
      }
      expect(seen).toEqual(whole.body.data);
    },
  );

  it('leaves the paging members out with paginate=false', async () => {
    const answer = await get(`${parent}/children?paginate=false&page_size=2`);
    expect(answer.body.data).toHaveLength(NAMES.length);
    expect(answer.body).toEqual(success(expect.any(Array)));
  });

  it.each(['0', '-1', 'x', '1.5'])('takes page_size=%s for the default', async (size) => {
    const answer = await get(`${parent}/children?page_size=${size}`);
    expect(answer.body.page_size).toBe(NAMES.length);
  });

  const encode = (key: unknown, id = '') =>
    Buffer.from(JSON.stringify([key, id])).toString('base64url');

  it("refuses another account's start key and shows no row of it", async () => {
    const theirs = await get(`${other}/children?page_size=1`, master);
    expect(theirs.body.data).toHaveLength(1);
    for (const list of ['children', 'descendants']) {
      for (const key of [[other, 'Foreign'], [other], [], 'x', null, [[parent], 'a'], { a: 1 }]) {
        const answer = await get(`${parent}/${list}?start_key=${encode(key)}`);
        expect(answer.status).toBe(400);
        expect(answer.body).toEqual(
          invalid({
            start_key: {
              invalid: {
                message: 'start_key must be the next_start_key of an earlier page of this listing',
              },
            },
          }),
        );
      }
    }
  });

  it.each(['true', 'false'])(
    'never answers 500 to a made-up start key (ascending=%s)',
    async (up) => {
      const keys = [
        [parent, { z: 1 }],
        [parent, {}, 1],
        [parent, null],
        [parent],
        [parent, 'alpha', [[[]]]],
        [parent, '\uffff\uffff'],
      ];
      for (const key of keys) {
        const path = `${parent}/children?ascending=${up}&start_key=${encode(key, 'x')}`;
        const answer = await get(path);
        expect([JSON.stringify(key), [200, 400]]).toEqual([
          JSON.stringify(key),
          expect.arrayContaining([answer.status]),
        ]);
        const foreign = (answer.body.data as unknown[]).length ?? 0;
        expect(foreign).toBeLessThanOrEqual(NAMES.length);
        expect(JSON.stringify(answer.body.data)).not.toContain('Foreign');
      }
    },
  );

  it.each(['%%%', 'e30', 'WzFd', 'x'.repeat(3000)])('refuses the start key %.10s', async (text) => {
    const answer = await get(`${parent}/children?start_key=${encodeURIComponent(text)}`);
    expect(answer.status).toBe(400);
    expect(Object.keys(answer.body.data)).toEqual(['start_key']);
  });

  it.each(['tree', 'parents'])('shows the %s from the token’s account down', async (list) => {
    const alpha = String(idOf.get('alpha'));
    const all = [
      { id: MASTER, name: 'Demo Master' },
      { id: RESELLER, name: 'Demo Reseller' },
      { id: parent, name: 'Parent' },
    ];
    expect((await get(`${alpha}/${list}`, master)).body).toEqual(success(all));
    expect((await get(`${alpha}/${list}`)).body).toEqual(success(all.slice(1)));
    expect((await get(`${RESELLER}/${list}`)).body).toEqual(success([]));
  });

  it('shows siblings to ancestors and superduper accounts, not to the account', async () => {
    const siblings = await get(`${CUSTOMER}/siblings?ascending=true`);
    expect(siblings.body.data.map((row: { name: string }) => row.name)).toEqual([
      'Demo Branch',
      'Demo Customer',
      'Parent',
    ]);
    const roots = await get(`${MASTER}/siblings`, master);
    expect(roots.body).toEqual(success([], { page_size: 0 }));
    const body = { data: { api_key: demoKey(3) } };
    const customer = (await service.call('PUT', '/v2/api_auth', { body })).body.auth_token;
    const refused = await get(`${CUSTOMER}/siblings`, customer);
    expect(refused.status).toBe(403);
    expect(refused.body).toEqual(forbidden());
  });
});
