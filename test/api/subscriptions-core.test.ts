import { HOSTED, type LineRig, OTHER, openLineRig } from '../support/line-rig.js';
import { createLineTools, device, NOBODY, pathOf, unique } from '../support/line-tools.js';
import { CUSTOMER, RESELLER } from '../support/service.js';

let rig: LineRig;
const { importLine, truth, copy, expectSound } = createLineTools(() => rig);

beforeAll(async () => {
  rig = await openLineRig();
  await rig.service.services.refresh.subscriptions();
});
afterAll(() => rig.close());

describe('an import', () => {
  it('stores the line and its device, claims what identifies it and copies both', async () => {
    const { id, mdn, esn, sim } = await importLine();
    const { _rev, pvt_created, pvt_modified, pvt_request_id, ...stored } = await truth(id);
    expect(stored).toEqual({
      _id: id,
      esn,
      esn_display: esn,
      sim,
      mdn,
      imsi: null,
      plan: '260PLAN1',
      features: ['international', 'sip'],
      suspended: false,
      carrier_data: { msid: expect.any(String), csa: 'SFRSFR415' },
      activation_date: 63_746_871_056,
      pvt_type: 'subscription',
      pvt_vsn: '1',
      pvt_account_id: CUSTOMER,
      pvt_account_db: `account%2Fc0%2Fff%2F${CUSTOMER.slice(4)}`,
      pvt_carrier_name: 'sprint',
      pvt_mvno: '2600hz',
      pvt_cluster_id: HOSTED,
      pvt_owner_seq: 1,
      pvt_is_authenticated: true,
      pvt_auth_account_id: 'c0ffee00000000000000000000000001',
    });
    const made = await truth(esn);
    expect(made).toMatchObject({
      esn_display: esn,
      name: 'Samsung 013',
      voice: { protocol: 'sip', sip: { realm: 'sip.mycompany.com', username: 'my_softphone' } },
      data: { blocking: { cap: 0 }, throttling: { cap: 0, rate: '64k' } },
      pvt_subscription_id: id,
      pvt_sip_password: expect.stringMatching(/^v1\./),
    });
    expect(JSON.stringify(made)).not.toContain('abcdef123456');
    expect((await copy(CUSTOMER, esn)).pvt_account_id).toBe(CUSTOMER);
    await expectSound();
  });

  it('of a line that is held is a 409 that names everything that is in use', async () => {
    const { id: _id, ...line } = await importLine();
    for (const account of [CUSTOMER, RESELLER]) {
      const again = await rig.importInto(account, { mdn: line.mdn });
      expect([again.status, again.body.message, again.body.data]).toEqual([
        409,
        'datastore_conflict',
        unique(line),
      ]);
    }
    await expectSound();
  });

  it('names what of a line is in use and takes nothing of the rest', async () => {
    const { sim } = await importLine();
    const swapped = await rig.makeLine();
    await rig.sandbox.addLine({ ...swapped, sim });
    const refused = await rig.importInto(CUSTOMER, { mdn: swapped.mdn });
    expect([refused.status, refused.body.data]).toEqual([409, unique({ sim })]);
    const fresh = await rig.makeLine();
    await rig.sandbox.addLine({ ...swapped, sim: fresh.sim });
    expect((await rig.importInto(CUSTOMER, { mdn: swapped.mdn })).status).toBe(201);
    await expectSound();
  });

  it('of one line into twenty accounts at once succeeds exactly once', async () => {
    const line = await rig.makeLine();
    const accounts = await Promise.all(Array.from({ length: 20 }, () => rig.makeAccount()));
    const data = { mdn: line.mdn, device_data: device() };
    const answers = await Promise.all(accounts.map((account) => rig.importInto(account, data)));
    const statuses = answers.map(({ status }) => status).sort();
    expect(statuses).toEqual([201, ...Array(19).fill(409)]);
    const refused = answers.filter(({ status }) => status === 409);
    // Where the line is can be told only once it is written.
    const words = { message: 'the MDN is already in use', cause: line.mdn };
    const used = { unique: expect.objectContaining(words) };
    for (const { body } of refused) expect(body.data.mdn).toEqual(used);
    const winner = accounts[answers.findIndex(({ status }) => status === 201)];
    expect((await copy(String(winner), line.esn)).pvt_account_id).toBe(winner);
    await expectSound();
  });

  it('by different identifiers of one line at once succeeds exactly once', async () => {
    const line = await rig.makeLine();
    const queries = [{ mdn: line.mdn }, { esn: line.esn }, { sim: line.sim }];
    const answers = await Promise.all(
      [...queries, ...queries].map((data) => rig.importInto(RESELLER, data)),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 409, 409, 409, 409, 409]);
    await expectSound();
  });

  it('that is a dry run says what it would do and does nothing', async () => {
    const line = await rig.makeLine();
    const path = `/v2/support/accounts/${CUSTOMER}/subscriptions/import?dry_run=true`;
    const dry = await rig.ask('PUT', path, { mdn: line.mdn, device_data: device() });
    expect([dry.status, dry.body.data.esn]).toEqual([200, line.esn]);
    expect(await truth(line.esn)).toBeUndefined();
    expect((await rig.importInto(CUSTOMER, { mdn: line.mdn })).status).toBe(201);
    const refused = await rig.ask('PUT', path, { mdn: line.mdn });
    expect([refused.status, refused.body.data]).toEqual([409, unique(line)]);
    await expectSound();
  });

  it('gives a device the defaults of its account, and what is sent goes before', async () => {
    const defaults = { blocking: { cap: 5 }, throttling: { cap: 4, rate: '128k' } };
    const account = await rig.makeAccount({ device_defaults: { data: defaults } });
    const plain = await importLine(account, {});
    expect((await truth(plain.esn)).data).toEqual(defaults);
    const own = await importLine(account, { device_data: { data: { blocking: { cap: 9 } } } });
    expect((await truth(own.esn)).data).toEqual({ ...defaults, blocking: { cap: 9 } });
  });

  it('of a line that the carrier does not know is a 404 that says which', async () => {
    const answer = await rig.importInto(CUSTOMER, { mdn: '+13129999999' });
    expect([answer.status, answer.body.data]).toEqual([
      404,
      { message: 'bad identifier', cause: '+13129999999', identifier: 'mdn' },
    ]);
  });

  it('by two identifiers that are not of one line is a 400 that names the second', async () => {
    const [one, other] = [await rig.makeLine(), await rig.makeLine()];
    const answer = await rig.importInto(CUSTOMER, { mdn: one.mdn, esn: other.esn });
    expect([answer.status, answer.body.data]).toEqual([
      400,
      {
        esn: {
          invalid: {
            message: 'The carrier has another esn for this mdn',
            value: other.esn,
            target: one.esn,
          },
        },
      },
    ]);
  });

  it('leaves no line in an account that is deleted at the same time', async () => {
    for (let n = 0; n < 5; n += 1) {
      const account = await rig.makeAccount();
      const line = await rig.makeLine();
      const [imported, deleted] = await Promise.all([
        rig.importInto(account, { mdn: line.mdn }),
        rig.ask('DELETE', `/v2/accounts/${account}`),
      ]);
      const isKept = imported.status === 201;
      expect([imported.status, deleted.status]).toEqual(
        isKept ? [201, 409] : [404, expect.any(Number)],
      );
      const found = await rig.service.services.support.subscriptions.lines.findByMdn(line.mdn);
      expect(found?.accountId).toBe(isKept ? account : undefined);
    }
    await expectSound();
  });

  it('into an account of another cluster leaves no copy here', async () => {
    const line = await rig.makeLine();
    const answer = await rig.service.call(
      'PUT',
      `/v2/support/accounts/${NOBODY}/subscriptions/import`,
      {
        token: rig.token,
        headers: { 'x-kazoo-cluster-id': OTHER },
        body: { data: { mdn: line.mdn } },
      },
    );
    expect(answer.status).toBe(201);
    const stored = await truth(answer.body.data.id);
    expect([stored.pvt_cluster_id, stored.pvt_mvno]).toEqual([OTHER, '2600hz_sandbox']);
    await expectSound();
  });
});

describe('a deletion', () => {
  it('detaches the device, which an import elsewhere adopts without its voice', async () => {
    const { id, mdn, esn } = await importLine();
    await rig.sandbox.clearJournal();
    expect((await rig.ask('DELETE', pathOf(CUSTOMER, id))).status).toBe(200);
    expect(await rig.sandbox.journal()).toEqual([]);
    expect(await truth(id)).toBeUndefined();
    expect(await truth(esn)).toMatchObject({ pvt_account_id: CUSTOMER, pvt_cluster_id: HOSTED });
    expect(await copy(CUSTOMER, id)).toBeUndefined();
    expect(await copy(CUSTOMER, esn)).toMatchObject({ name: 'Samsung 013' });
    await expectSound();

    expect((await rig.importInto(RESELLER, { mdn })).status).toBe(201);
    const adopted = await truth(esn);
    expect([adopted.name, adopted.voice, adopted.pvt_sip_password]).toEqual([
      undefined,
      { protocol: 'sip' },
      undefined,
    ]);
    expect(await copy(CUSTOMER, esn)).toBeUndefined();
    await expectSound();
  });

  it('with cascade deletes the device as well', async () => {
    const { id, esn, mdn } = await importLine();
    expect((await rig.ask('DELETE', `${pathOf(CUSTOMER, id)}?cascade=true`)).status).toBe(200);
    expect([await truth(id), await truth(esn), await copy(CUSTOMER, esn)]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    expect((await rig.ask('DELETE', pathOf(CUSTOMER, id))).status).toBe(404);
    expect((await rig.importInto(CUSTOMER, { mdn })).status).toBe(201);
    await expectSound();
  });

  it('of a line of another account is a 404', async () => {
    const { id } = await importLine();
    expect((await rig.ask('DELETE', pathOf(RESELLER, id))).status).toBe(404);
  });

  it('of an account is refused while it has lines', async () => {
    const account = await rig.makeAccount();
    const { id } = await importLine(account);
    const refused = await rig.ask('DELETE', `/v2/accounts/${account}`);
    expect([refused.status, refused.body.data.holds]).toEqual([409, ['1 subscription']]);
    await rig.ask('DELETE', `${pathOf(account, id)}?cascade=true`);
    expect((await rig.ask('DELETE', `/v2/accounts/${account}`)).status).toBe(200);
  });
});
