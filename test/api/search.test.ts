import { failure, invalid, success } from '../support/envelope.js';
import { createAccount, createUser } from '../support/people.js';
import {
  CUSTOMER,
  MASTER,
  RESELLER,
  startTestService,
  type TestService,
} from '../support/service.js';

const TYPES = ['account', 'user', 'callflow', 'device'];
const BY = ['id', 'name', 'realm'];

describe('search', () => {
  let service: TestService;
  let master: string;
  let reseller: string;
  let north: string;
  let south: string;

  beforeAll(async () => {
    service = await startTestService();
    [master, reseller] = await Promise.all([service.tokenOf(1), service.tokenOf(2)]);
    north = await createAccount(service, RESELLER, {
      name: 'Acme North, Inc.',
      realm: 'north.acme-voice.example',
    });
    south = await createAccount(service, RESELLER, {
      name: 'acme south',
      realm: 'south.acme-voice.example',
    });
    await createAccount(service, MASTER, { name: 'Acme Elsewhere', realm: 'else.where.example' });
    await createAccount(service, north, { name: 'Below North', realm: 'below.north.example' });
  });
  afterAll(() => service.stop());

  const search = (query: string, token = reseller, base = '/v2/search') =>
    service.call('GET', `${base}${query}`, { token });
  const names = async (query: string, token = reseller) =>
    (await search(query, token)).body.data.map((row: { name: string }) => row.name);

  it('finds accounts below the token’s account by the start of a name', async () => {
    const answer = await search('?t=account&q=name&v=acme');
    expect(answer.status).toBe(200);
    const rows = [
      { id: south, name: 'acme south', realm: 'south.acme-voice.example', descendants_count: 0 },
      {
        id: north,
        name: 'Acme North, Inc.',
        realm: 'north.acme-voice.example',
        descendants_count: 1,
      },
    ];
    expect(answer.body).toEqual(success(rows, { page_size: 2 }));
    expect(await names('?t=account&q=name&v=acme&ascending=true')).toEqual([
      'Acme North, Inc.',
      'acme south',
    ]);
    expect(await names('?t=account&q=name&v=acme', master)).toHaveLength(3);
  });

  it('strips the value as the names are stripped, and matches starts only', async () => {
    expect(await names('?t=account&q=name&v=ACME%20north,%20INC.')).toEqual(['Acme North, Inc.']);
    expect(await names('?t=account&q=name&v=north')).toEqual([]);
    expect(await names('?t=account&q=name&v=zzz')).toEqual([]);
    expect(await names('?t=account&q=name&v=acmenorthincz')).toEqual([]);
  });

  it('searches realms and ids', async () => {
    expect(await names('?t=account&q=realm&v=South.ACME')).toEqual(['acme south']);
    expect(await names(`?t=account&q=id&v=${north.slice(0, 12)}`)).toEqual(['Acme North, Inc.']);
  });

  it('lists all below for an empty value, and never the account itself', async () => {
    const all = await names('?t=account&q=name&v=');
    expect([...all].sort()).toEqual(
      ['Acme North, Inc.', 'Below North', 'Demo Branch', 'Demo Customer', 'acme south'].sort(),
    );
    expect(await names('?t=account&q=name&v=demoreseller')).toEqual([]);
  });

  it('ignores the account in the path for accounts', async () => {
    const base = `/v2/accounts/${CUSTOMER}/search`;
    const answer = await search('?t=account&q=name&v=acme', reseller, base);
    expect(answer.body.data).toHaveLength(2);
  });

  it('pages in both directions', async () => {
    for (const up of ['true', 'false']) {
      const query = `?t=account&q=name&v=&ascending=${up}`;
      const whole = await names(query);
      const seen: string[] = [];
      let start: string | undefined = '';
      while (start !== undefined) {
        const { body } = await search(`${query}&page_size=1${start}`);
        seen.push(...body.data.map((row: { name: string }) => row.name));
        start = body.next_start_key === undefined ? undefined : `&start_key=${body.next_start_key}`;
      }
      expect(seen).toEqual(whole);
    }
  });

  it('refuses a start key outside of what was searched', async () => {
    const forged = [
      [MASTER, 'account', 'acmeelsewhere'],
      [RESELLER, 'account', 'zzz'],
      [RESELLER, 'account', 'a'],
      [RESELLER, 'user', 'acme'],
      [RESELLER, 'account', {}],
      [RESELLER, 'account'],
      'acme',
    ];
    for (const key of forged) {
      const start = Buffer.from(JSON.stringify([key, 'x'])).toString('base64url');
      for (const up of ['true', 'false']) {
        const query = `?t=account&q=name&v=acme&ascending=${up}&start_key=${start}`;
        const answer = await search(query);
        expect([key, up, answer.status]).toEqual([key, up, 400]);
        expect(Object.keys(answer.body.data)).toEqual(['start_key']);
      }
    }
  });

  it('finds users of the account in the path', async () => {
    const ada = await createUser(service, north, { first_name: 'Ada', last_name: "O'Neill" });
    await createUser(service, south, { first_name: 'Ada', last_name: 'South' });
    const base = `/v2/accounts/${north}/search`;
    const answer = await search('?t=user&q=name&v=adao', reseller, base);
    expect(answer.status).toBe(200);
    expect(answer.body.page_size).toBe(1);
    expect(answer.body.data[0]).toMatchObject({ id: ada });
    expect((await search('?t=user&q=name&v=', reseller, base)).body.data).toHaveLength(1);
    expect((await search('?t=device&q=name&v=', reseller, base)).body.data).toEqual([]);
    const nowhere = await search('?t=user&q=name&v=ada');
    expect(nowhere.body).toEqual(failure(404, 'not_found', { message: 'not found' }));
    const stranger = await search('?t=user&q=name&v=', await service.tokenOf(3), base);
    expect(stranger.status).toBe(403);
  });

  it('says everything that is missing, with what there is', async () => {
    expect((await search('')).body).toEqual(
      invalid({
        t: { required: { message: 'search needs a document type to search on', target: TYPES } },
        q: { required: { message: 'search needs a view to search in', target: ['name'] } },
        v: { required: { message: 'search needs a value to search for' } },
      }),
    );
    expect((await search('?t=account')).body).toEqual(
      invalid({
        q: { required: { message: 'search needs a view to search in', target: BY } },
        v: { required: { message: 'search needs a value to search for' } },
      }),
    );
    expect((await search('?t=account&q=colour&v=x')).body).toEqual(
      invalid({
        q: { enum: { message: 'value not found in enumerated list of values', cause: 'colour' } },
      }),
    );
    expect((await search('?t=account&q=../_all_docs&v=x')).status).toBe(400);
  });

  it('runs several searches at once', async () => {
    const answer = await search('/multi?t=account&by_name=acme&by_realm=below');
    expect(answer.status).toBe(200);
    const row = (id: string) =>
      expect.objectContaining({ id, descendants_count: expect.any(Number) });
    expect(answer.body).toEqual(
      success({
        name: [row(south), row(north)],
        realm: [expect.objectContaining({ name: 'Below North' })],
      }),
    );
    const byId = await search(`/multi?t=account&by_id=${south}`);
    expect(byId.body.data).toEqual({ id: [row(south)] });
  });

  it('needs a type and a value for several searches', async () => {
    const target = ['account', 'user', 'callflow', 'device'];
    expect((await search('/multi?by_name=x')).body).toEqual(
      invalid({
        t: { required: { message: 'Search needs a document type to search on', target } },
      }),
    );
    expect((await search('/multi?t=account')).body).toEqual(
      invalid({
        multi: { enum: { message: 'multi search needs some values to search for', target: BY } },
      }),
    );
  });
});
