import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CarrierMvno, createCarriers } from '../../src/carriers/carriers.js';
import { readSandboxAddress } from '../../src/carriers/sandbox/address.js';
import type { Carriers } from '../../src/core/carrier.js';
import { createSecretBox, generateKeyring, parseKeyring } from '../../src/core/secret-box.js';
import { carrierKeyField } from '../../src/resources/mvnos/mvnos.doc.js';
import { presentError } from '../../src/surfaces/crossbar/errors.js';
import { type CarrierSandbox, startSandbox } from '../support/carrier-sandbox.js';
import { errorOf } from './driver-contract.js';

const CLUSTER = '8a901bea1d3297ef7d4c8d34809472c2';
const MDN = '+14157487153';
const box = createSecretBox(parseKeyring(generateKeyring()));

const openKey = (sealed: string, mvnoId: string, carrier: string) =>
  box.open(sealed, mvnoId, carrierKeyField(carrier));

const opened: { close(): Promise<void> }[] = [];
let sandbox: CarrierSandbox;
beforeAll(async () => {
  sandbox = await startSandbox({ hasDemoContent: true });
});
afterAll(async () => {
  for (const each of opened) await each.close();
  await sandbox?.stop();
});

function carriersOf(...mvnos: Partial<CarrierMvno>[]): Carriers {
  const all = mvnos.map(
    (mvno): CarrierMvno => ({
      id: '2600hz',
      clusterId: CLUSTER,
      carriers: {},
      sealedKeys: {},
      ...mvno,
    }),
  );
  const carriers = createCarriers({
    findMvnoOfCluster: async (id) => all.find(({ clusterId }) => clusterId === id),
    listMvnos: async () => all,
    openKey,
    findSandbox: () => readSandboxAddress(sandbox.dataDir),
    timeoutMs: 1500,
  });
  opened.push(carriers);
  return carriers;
}

const BOTH = { sprint: { driver: 'sandbox' }, tmobile: { driver: 'sandbox' } };

describe('which carrier is meant', () => {
  test('is no question for an MVNO with one, whatever the name', async () => {
    const carriers = carriersOf({ carriers: { sprint: { driver: 'sandbox' } } });
    const names = await Promise.all(
      [undefined, 'sprint', 'nobody'].map(
        async (name) => (await carriers.find(CLUSTER, name)).name,
      ),
    );
    expect(names).toEqual(['sprint', 'sprint', 'sprint']);
  });

  test('is said by the name for an MVNO with several', async () => {
    const { name, mvnoId, clusterId } = await carriersOf({ carriers: BOTH }).find(
      CLUSTER,
      'tmobile',
    );
    expect({ name, mvnoId, clusterId }).toEqual({
      name: 'tmobile',
      mvnoId: '2600hz',
      clusterId: CLUSTER,
    });
  });

  test('is a fault of the field carrier when the name is not among several', async () => {
    const carriers = carriersOf({ carriers: BOTH, defaultCarrier: 'sprint' });
    expect(presentError(await errorOf(carriers.find(CLUSTER, 'nobody')))).toEqual({
      status: 400,
      message: 'validation error',
      data: {
        carrier: {
          enum: {
            message: 'Value not found in enumerated list of values',
            target: ['sprint', 'tmobile'],
            value: 'nobody',
          },
        },
      },
    });
  });

  test('is asked for when no name is given, unless the MVNO has a default', async () => {
    expect(presentError(await errorOf(carriersOf({ carriers: BOTH }).find(CLUSTER)))).toEqual({
      status: 400,
      message: 'validation error',
      data: {
        carrier: {
          required: {
            message: 'Field is required but missing',
            target: ['sprint', 'tmobile'],
            value: 'carrier',
          },
        },
      },
    });
    const withDefault = carriersOf({ carriers: BOTH, defaultCarrier: 'tmobile' });
    expect((await withDefault.find(CLUSTER)).name).toBe('tmobile');
    const withWrongDefault = carriersOf({ carriers: BOTH, defaultCarrier: 'gone' });
    expect((await errorOf(withWrongDefault.find(CLUSTER))).code).toBe('invalid');
  });

  test('cannot be said without an MVNO or without carriers', async () => {
    const nobody = await errorOf(carriersOf().find(CLUSTER));
    expect([nobody.code, nobody.reason]).toEqual(['not_found', 'mvno_not_found']);
    const none = await errorOf(carriersOf({ carriers: {} }).find(CLUSTER));
    expect([none.code, none.reason]).toEqual(['bad_gateway', 'carrier_not_configured']);
  });

  test('all of them are listed by MVNO and name', async () => {
    const other = 'aa2b36ac6a5edb290159cd1298283322';
    const carriers = carriersOf(
      { id: 'z_mvno', clusterId: other, carriers: { sprint: { driver: 'sandbox' } } },
      { carriers: { tmobile: { driver: 'nonsense' }, sprint: { driver: 'sandbox' } } },
    );
    const listed = await carriers.list();
    expect(listed.map(({ mvnoId, name, clusterId }) => [mvnoId, name, clusterId])).toEqual([
      ['2600hz', 'sprint', CLUSTER],
      ['2600hz', 'tmobile', CLUSTER],
      ['z_mvno', 'sprint', other],
    ]);
  });
});

describe('the settings of a carrier', () => {
  test('with driver http take the key that is sealed in a field of their own', async () => {
    const sealed = box.seal(sandbox.apiKey, '2600hz', 'pvt_carrier_key_sprint');
    const sprint = { driver: 'http', url: `${sandbox.url}/` };
    const carriers = carriersOf({ carriers: { sprint }, sealedKeys: { sprint: sealed } });
    const line = await (await carriers.find(CLUSTER)).lookup({ mdn: MDN });
    expect(line?.esn).toBe('A10000009296F2');
  });

  test('do not work with a key that was sealed for another carrier', async () => {
    const sealed = box.seal(sandbox.apiKey, '2600hz', 'pvt_carrier_key_tmobile');
    const sprint = { driver: 'http', url: sandbox.url };
    const carriers = carriersOf({ carriers: { sprint }, sealedKeys: { sprint: sealed } });
    const error = await errorOf((await carriers.find(CLUSTER)).health());
    expect(error.code).toBe('internal');
    expect(error.message).not.toContain(sandbox.apiKey);
  });

  test.each([
    ['no driver', {}],
    ['an unknown driver', { driver: 'constructor' }],
    ['no URL', { driver: 'http' }],
    ['a URL with a password', { driver: 'http', url: 'http://a:b@127.0.0.1' }],
    ['a URL of another kind', { driver: 'http', url: 'file:///etc/passwd' }],
    ['no key', { driver: 'http', url: 'http://127.0.0.1:9' }],
    ['a time limit of nothing', { driver: 'sandbox', timeout_ms: 0 }],
  ])('that have %s fail when the carrier is called, and the others go on', async (_what, bad) => {
    const carriers = carriersOf({ carriers: { bad, good: { driver: 'sandbox' } } });
    const [first, second] = await carriers.list();
    const error = await errorOf(Promise.resolve(first?.health()));
    expect([error.code, error.reason]).toEqual(['bad_gateway', 'carrier_not_configured']);
    await expect(second?.health()).resolves.toBeUndefined();
  });

  test('with driver sandbox find it again when it comes back on another port', async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'telcouch-moving-'));
    const carriers = createCarriers({
      findMvnoOfCluster: async () => ({
        id: '2600hz',
        clusterId: CLUSTER,
        carriers: { sprint: { driver: 'sandbox' } },
        sealedKeys: {},
      }),
      listMvnos: async () => [],
      openKey,
      findSandbox: () => readSandboxAddress(dataDir),
      timeoutMs: 1500,
    });
    opened.push(carriers);
    const carrier = await carriers.find(CLUSTER);
    expect((await errorOf(carrier.health())).reason).toBe('carrier_unavailable');
    for (const signal of ['kill', 'stop'] as const) {
      const running = await startSandbox({ dataDir });
      await expect(carrier.health()).resolves.toBeUndefined();
      await running[signal]();
      expect((await errorOf(carrier.health())).reason).toBe('carrier_unavailable');
    }
    await rm(dataDir, { recursive: true });
  });
});

test('a client sees that it is the carrier that is away, and not the store', async () => {
  const carriers = carriersOf({ carriers: { sprint: { driver: 'sandbox' } } });
  const carrier = await carriers.find(CLUSTER);
  await sandbox.setFault({ kind: 'unavailable', retry_after_s: 30, times: null });
  const error = await errorOf(carrier.lookup({ mdn: MDN }));
  await sandbox.clearFaults();
  expect(presentError(error)).toEqual({
    status: 503,
    message: 'carrier_unavailable',
    data: { message: 'the carrier sprint cannot be reached now' },
    retryAfterS: 30,
  });
});
