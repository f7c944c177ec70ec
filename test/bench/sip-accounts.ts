import { createSecretBox, parseKeyring } from '../../src/core/secret-box.js';
import { createCouch } from '../../src/couch/client.js';
import { encodedAccountDatabase } from '../../src/couch/databases.js';
import { createLog } from '../../src/log.js';
import { createServices, type Services } from '../../src/services.js';
import { storeUrl } from '../support/store.js';
import type { BenchClient } from './client.js';
import { compare, median, type Plan } from './measure.js';
import { type Doc, putDocs } from './pool.js';
import type { Figure } from './report.js';
import { type BenchService, MASTER, type Rig } from './rig.js';

const LIST = '/api/rest/public/operator/sip_device_routes';
const FEW = 1_000;
const MANY = 100_000;
const PASSWORD = 'bench-password';
const BATCH = 5_000;
const CUSTOMERS = 4;
const WRITES = 60;
/** Gregorian seconds; any moment will do. */
const CREATED = 63_900_000_000;

const QUESTIONS = {
  'page 1': '',
  'page 1, sorted by two keys': '?sort=-caller_id_name,username',
  'page 1, filtered and sorted': '?filter[allow_external_calls]=true&sort=internal_caller_id',
  'the last page': '?page[size]=50&page[number]=',
} as const;

/** An operator with so many SIP accounts below its account. */
interface Tenant {
  readonly name: string;
  readonly count: number;
  readonly client: BenchClient;
  /** One of its SIP accounts. */
  readonly uuid: string;
}

function idOf(tenant: number, n: number): string {
  // Spread as random ids are, and the same in each run.
  const spread = Math.imul(n + 1, 0x9e3779b1) >>> 0;
  return `${spread.toString(16).padStart(8, '0')}${tenant}${n.toString(16).padStart(23, '0')}`;
}

function docOf(tenant: number, n: number, accountId: string, sealed: string): Doc {
  const username = `user-${(n * 7_919) % 1_000_003}`;
  return {
    _id: idOf(tenant, n),
    name: username,
    sip: { username, realm: `bench-${tenant}.example.com` },
    caller_id: { internal: { name: `Name ${n % 5_000}`, number: String(n % 10_000) } },
    allow_external_calls: n % 3 === 0,
    use_allowed_ips: n % 2 === 0,
    ...(n % 4 === 0 ? { allowed_ips: '192.0.2.0/24' } : {}),
    pvt_type: 'device',
    pvt_account_id: accountId,
    pvt_account_db: encodedAccountDatabase(accountId),
    pvt_created: CREATED,
    pvt_modified: CREATED,
    pvt_sip_password: sealed,
  };
}

function openServices(rig: Rig): { services: Services; close: () => Promise<void> } {
  const couch = createCouch({ url: storeUrl(), dbPrefix: rig.dbPrefix, timeoutMs: 60_000 });
  const services = createServices({
    couch,
    keyring: parseKeyring(rig.keyring),
    log: createLog({ level: 'error', stream: process.stderr }),
    now: Date.now,
    zone: 'local',
    tokenTtlS: 3600,
    accountRealmSuffix: 'sip.bench.internal',
    readCache: false,
    allowDemo: true,
    authorizedIpLimit: 1,
    support: {
      sipPasswords: 'sealed',
      dataDir: '/nonexistent',
      carrierTimeoutMs: 1_000,
      allowPrivateClusters: false,
      clusterTimeoutMs: 1_000,
    },
  });
  return {
    services,
    close: async () => {
      services.stop();
      await couch.close();
    },
  };
}

async function makeTenant(
  rig: Rig,
  service: BenchService,
  services: Services,
  [tenant, count]: readonly [tenant: number, count: number],
): Promise<Tenant> {
  const box = createSecretBox(parseKeyring(rig.keyring));
  const name = `bench-${tenant}`;
  const parent = await services.accounts.create(
    { name, realm: `${name}.example.com` },
    { parentId: MASTER },
  );
  await services.operators.service.create(name, parent.id, PASSWORD);
  const store = rig.store(1);
  for (let customer = 0; customer < CUSTOMERS; customer += 1) {
    const own = `${name}-${customer}`;
    const fields = { name: own, realm: `${own}.example.com` };
    const { id } = await services.accounts.create(fields, { parentId: parent.id });
    await services.identifiers.set(id, { customer_id: own });
    const share = count / CUSTOMERS;
    for (let start = 0; start < share; start += BATCH) {
      const docs = Array.from({ length: Math.min(BATCH, share - start) }, (_, n) => {
        const number = customer * share + start + n;
        const sealed = box.seal('secret-12', idOf(tenant, number), 'pvt_sip_password');
        return docOf(tenant, number, id, sealed);
      });
      await putDocs(store, rig.path('sip_auth'), docs, BATCH);
    }
  }
  await store.close();
  const login = Buffer.from(`${name}:${PASSWORD}`).toString('base64');
  const uuid = idOf(tenant, 0).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
  const headers = {
    authorization: `Basic ${login}`,
    'content-type': 'application/vnd.api+json',
  };
  return { name, count, client: service.clientWith(1, headers), uuid };
}

function pathOf(question: string, count: number): string {
  return `${LIST}${question}${question.endsWith('=') ? Math.ceil(count / 50) : ''}`;
}

/** Milliseconds until the first answer: the index is read, or it has an order more to make. */
async function timeOf(tenant: Tenant, path: string): Promise<number> {
  const startedAt = performance.now();
  const { text } = await tenant.client.ask('GET', path);
  const ms = performance.now() - startedAt;
  const { meta } = JSON.parse(text) as { meta: { record_count: number } };
  if (!path.includes('filter') && meta.record_count !== tenant.count) {
    throw new Error(`${tenant.name} lists ${meta.record_count} of ${tenant.count}`);
  }
  return ms;
}

/** The median of lists each of which comes right after an update. */
async function timeAfterWrites(tenant: Tenant): Promise<number> {
  const times: number[] = [];
  for (let n = 0; n < WRITES; n += 1) {
    const attributes = { allowed_ips: `10.0.${n}.0/24`, use_allowed_ips: n % 2 === 0 };
    const data = { type: 'sip_device_routes', id: tenant.uuid, attributes };
    await tenant.client.ask('PATCH', `${LIST}/${tenant.uuid}`, { data });
    times.push(await timeOf(tenant, `${LIST}?sort=allowed_ips`));
  }
  return median(times);
}

/** Lists of SIP accounts: those of an operator with many against those of one with few. */
export async function* measureSipAccounts(
  rig: Rig,
  service: BenchService,
  plan: Plan,
): AsyncGenerator<Figure> {
  const { services, close } = openServices(rig);
  const few = await makeTenant(rig, service, services, [1, FEW]);
  const many = await makeTenant(rig, service, services, [2, MANY]);
  // CouchDB makes its index when it is first asked; that is not what is measured here.
  await services.sipAccounts.service.participant.listHolds(MASTER);
  await close();
  const first = [await timeOf(few, LIST), await timeOf(many, LIST)] as const;
  for (const [what, question] of Object.entries(QUESTIONS)) {
    const paths = [pathOf(question, FEW), pathOf(question, MANY)] as const;
    const sorting = [await timeOf(few, paths[0]), await timeOf(many, paths[1])] as const;
    const [a, b] = await compare(
      [
        { name: 'few', run: () => few.client.ask('GET', paths[0]) },
        { name: 'many', run: () => many.client.ask('GET', paths[1]) },
      ],
      plan,
    );
    if (a === undefined || b === undefined) return;
    yield {
      measure: `${what} of ${MANY} SIP accounts / of ${FEW}, half of the requests within`,
      callers: 1,
      value: b.medianMs / a.medianMs,
      target: { atMost: 2 },
      detail:
        `${b.medianMs.toFixed(2)} ms / ${a.medianMs.toFixed(2)} ms; ` +
        `the first of them ${sorting[1].toFixed(0)} ms / ${sorting[0].toFixed(0)} ms`,
    };
  }
  const written = [await timeAfterWrites(few), await timeAfterWrites(many)] as const;
  yield {
    measure: `sorted page 1 right after an update, ${MANY} SIP accounts / ${FEW}`,
    callers: 1,
    value: written[1] / written[0],
    detail: `${written[1].toFixed(2)} ms / ${written[0].toFixed(2)} ms`,
  };
  yield {
    measure: `first list of a process, with ${MANY} SIP accounts, sign-in included`,
    value: first[1] / 1000,
    unit: 's',
    detail: `with ${FEW}: ${(first[0] / 1000).toFixed(2)} s`,
  };
  await few.client.close();
  await many.client.close();
}
