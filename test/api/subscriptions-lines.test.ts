import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { hasCode } from '../../src/core/errors.js';
import { newId, runOperation } from '../../src/core/operation.js';
import { databases } from '../../src/couch/databases.js';
import { hasEnded, ownProcess } from '../../src/resources/subscriptions/subscriptions.processes.js';
import { auditLines } from '../faults/line-audit.js';
import { callCouch } from '../support/couch-call.js';
import { HOSTED, type LineRig, openLineRig, readDoc } from '../support/line-rig.js';
import { CUSTOMER, RESELLER } from '../support/service.js';

const SEEDED = {
  subscriptionId: '3f0a6c1de5b94b7f8a21c4d09e7b0142',
  accountId: CUSTOMER,
  clusterId: HOSTED,
  carrierName: 'sprint',
  mvnoId: '2600hz',
  mdn: '+14155550142',
  esn: '49015420323751',
  deviceId: '49015420323751',
};
const SUPER = { id: HOSTED, isOwn: true, isMaster: true, isSuperMaster: true };

let rig: LineRig;

beforeAll(async () => {
  rig = await openLineRig();
});
afterAll(() => rig.close());

const parts = () => rig.service.services.support.subscriptions;
const truth = (id: string) => readDoc(rig.service.dbPrefix, 'subscriptions-top', id);

async function importLine() {
  const line = await rig.makeLine();
  const answer = await rig.importInto(CUSTOMER, { mdn: line.mdn });
  expect(answer.status).toBe(201);
  return { ...line, id: String(answer.body.data.id) };
}

/** What is stored of lines and claims, and nothing of when it was looked at. */
async function readAll(): Promise<unknown> {
  const names = ['subscriptions-top', 'claims'];
  const answers = await Promise.all(
    names.map((name) => {
      const path = `/${encodeURIComponent(`${rig.service.dbPrefix}${name}`)}/_all_docs`;
      return callCouch('GET', path);
    }),
  );
  return answers.map(({ json }) => json.rows);
}

describe('lines that nobody has claimed yet', () => {
  beforeAll(async () => {
    const claims = rig.service.couch.database(databases.claims);
    for (const id of [`mdn:${SEEDED.mdn}`, `esn:${SEEDED.esn}`]) {
      await claims.remove(await claims.get(id));
    }
  });

  it('are found, counted and refused to others before any sweep', async () => {
    const { lines } = parts();
    expect(await lines.findByMdn('+14155550142')).toEqual(SEEDED);
    expect(await lines.find(SEEDED.subscriptionId)).toEqual(SEEDED);
    expect(await lines.findByMdn('+14155550999')).toBeUndefined();
    expect(await lines.findAccounts(['+14155550142', '+14155550999'])).toEqual(
      new Map([['+14155550142', CUSTOMER]]),
    );
    await rig.sandbox.addLine({ mdn: '+14155550142', sim: '8914800000000000999' });
    const refused = await rig.importInto(RESELLER, { mdn: '+14155550142' });
    expect([refused.status, Object.keys(refused.body.data)]).toEqual([409, ['mdn']]);
    expect(await lines.countByAccount(RESELLER)).toBe(0);
    expect(await lines.countByAccount(CUSTOMER)).toBe(await lines.countByCluster(HOSTED));
  });

  it('are claimed by the sweep, which then finds nothing to do', async () => {
    const { sweep } = parts();
    expect((await sweep()).claimsMade).toBe(2);
    expect(await sweep()).toEqual({
      finished: 0,
      claimsMade: 0,
      claimsReleased: 0,
      copiesWritten: 0,
      copiesRemoved: 0,
      failures: [],
    });
    expect(await auditLines(rig.service.dbPrefix)).toEqual([]);
  });
});

describe('the port of a line', () => {
  it('gives it the number once, however often that is said', async () => {
    const { lines } = parts();
    const { id, mdn } = await importLine();
    const port = { subscriptionId: id, portId: newId(), mdn: '+12125550100' };
    await lines.markPort(id, port.portId);
    await lines.markPort(id, port.portId);
    expect((await truth(id)).pvt_port_id).toBe(port.portId);
    expect((await lines.completePort(port)).mdn).toBe(port.mdn);
    expect(await lines.findByMdn(mdn)).toBeUndefined();
    const other = { ...port, portId: newId(), mdn };
    await lines.completePort(other);
    // The first port is applied once more, after a crash say: the later one counts.
    expect((await lines.completePort(port)).mdn).toBe(mdn);
    expect((await lines.completePort(other)).mdn).toBe(mdn);
    expect((await truth(id)).pvt_port_id).toBeUndefined();
    expect(await auditLines(rig.service.dbPrefix)).toEqual([]);
  });

  it('to a number that another line has is a conflict and changes nothing', async () => {
    const { lines } = parts();
    const [held, { id }] = [await importLine(), await importLine()];
    const portId = newId();
    await lines.markPort(id, portId);
    const before = await truth(id);
    const failure = await lines
      .completePort({ subscriptionId: id, portId, mdn: held.mdn })
      .catch((error: unknown) => error);
    expect(hasCode(failure, 'conflict') && failure.details).toEqual({
      data: { mdn: { unique: { message: 'the MDN is already in use', cause: held.mdn } } },
    });
    expect(await truth(id)).toEqual(before);
    expect(await auditLines(rig.service.dbPrefix)).toEqual([]);
  });

  it('that is canceled leaves the number as it is', async () => {
    const { lines } = parts();
    const { id, mdn } = await importLine();
    const port = { subscriptionId: id, portId: newId() };
    await lines.markPort(id, port.portId);
    await lines.cancelPort(port);
    await lines.markPort(id, port.portId);
    const { pvt_port_id: marked, mdn: kept } = await truth(id);
    expect([marked, kept]).toEqual([undefined, mdn]);
  });
});

describe('an import', () => {
  it.each([
    ['wrong_line', 502],
    ['malformed_json', 502],
    ['unauthorized', 502],
    ['unavailable', 503],
  ] as const)('that meets the carrier fault %s writes nothing', async (kind, status) => {
    const line = await rig.makeLine();
    await rig.makeLine();
    const before = await readAll();
    await rig.sandbox.setFault({ kind, times: null });
    const answer = await rig.importInto(CUSTOMER, { mdn: line.mdn });
    await rig.sandbox.clearFaults();
    expect(answer.status).toBe(status);
    expect(await readAll()).toEqual(before);
  });

  it('of which a run was cut off is one import, however often it is repeated', async () => {
    const { mdn } = await rig.makeLine();
    const input = { accountId: CUSTOMER, cluster: SUPER, query: { mdn }, needsDevice: false };
    const requestId = newId();
    const run = (asked: string, isRepeat: boolean) =>
      runOperation({ requestId: asked, isRepeatable: true, isRepeat }, () =>
        parts().service.importLine(input),
      );
    const first = await run(requestId, false);
    const second = await run(requestId, true);
    expect(second).toEqual(first);
    await expect(run(newId(), false)).rejects.toMatchObject({ code: 'conflict' });
    expect(await truth(first.subscription.id)).toEqual(first.subscription.stored);
  });

  it('of a line without a device is refused where a device is asked for', async () => {
    const { mdn } = await rig.makeLine({ esn: null });
    const path = `/v2/support/accounts/${CUSTOMER}/devices/import`;
    const answer = await rig.ask('PUT', path, { mdn });
    const invalid = { message: 'The line is tied to no device', value: mdn };
    expect([answer.status, answer.body.data]).toEqual([400, { mdn: { invalid } }]);
    const imported = await rig.importInto(CUSTOMER, { mdn });
    expect([imported.status, imported.body.data.esn]).toEqual([201, null]);
  });

  it('keeps a wrong check digit of the carrier, and refuses what cannot be read', async () => {
    const imei = await rig.makeLine({ esn: '490154203237519' });
    await rig.sandbox.dropLine('esn', '490154203237519');
    expect(imei.esn).not.toBe('490154203237519');
    const wrong = await rig.makeLine({ esn: '352099001761480' });
    const imported = await rig.importInto(CUSTOMER, { mdn: wrong.mdn });
    expect([imported.status, imported.body.data.esn]).toEqual([201, '35209900176148']);
    const pseudo = await rig.makeLine({ esn: '8016B128' });
    const refused = await rig.importInto(CUSTOMER, { mdn: pseudo.mdn });
    expect([refused.status, refused.body.message]).toEqual([502, 'carrier_bad_answer']);
  });
});

describe('a process', () => {
  it('has ended when the machine says so, and never by a guess', async () => {
    const own = await ownProcess();
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
    const other = { ...own, pid: child.pid, token: newId() };
    expect(await hasEnded(other)).toBe(false);
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(await hasEnded(other)).toBe(own.place !== undefined);
    expect(await hasEnded(own)).toBe(false);
    // Another process had the id of this one before.
    expect(await hasEnded({ ...own, token: newId() })).toBe(own.place !== undefined);
    expect(await hasEnded({ ...other, place: 'another machine' })).toBe(false);
    expect(await hasEnded(undefined)).toBe(false);
  });
});

describe('SIP_PASSWORDS=kazoo', () => {
  it('keeps passwords where Kazoo reads them, and still reads sealed ones', async () => {
    const sealed = await importLine();
    await rig.ask('PATCH', `/v2/support/accounts/${CUSTOMER}/devices/${sealed.esn}`, {
      voice: { sip: { password: 'sealed-one' } },
    });
    expect((await truth(sealed.esn)).voice).toEqual({ protocol: 'sip', sip: {} });
    const clear = await openLineRig({
      dbPrefix: rig.service.dbPrefix,
      keyring: rig.service.keyring,
      isSecond: true,
      support: { sipPasswords: 'kazoo' },
    });
    try {
      const path = `/v2/support/accounts/${CUSTOMER}/devices/${sealed.esn}`;
      const answer = await clear.ask('PATCH', path, { name: 'Clear' });
      expect(answer.body.data.voice.sip.password).toBe('sealed-one');
      const { voice, pvt_sip_password: left } = await truth(sealed.esn);
      expect([voice.sip.password, left]).toEqual(['sealed-one', undefined]);
    } finally {
      await clear.close();
    }
  });
});
