import { accountDatabase, databases } from '../../src/couch/databases.js';
import type { SavedDoc } from '../../src/couch/types.js';
import { type CarrierSandbox, type SandboxOptions, startSandbox } from './carrier-sandbox.js';
import {
  type Answer,
  CUSTOMER,
  startTestService,
  type TestService,
  type TestServiceOptions,
} from './service.js';

/** A line of the sandbox that no other line resembles. */
export interface TestLine {
  readonly mdn: string;
  readonly esn: string;
  readonly sim: string;
}

/** A service and the sandbox carrier that it asks, both empty of lines but for the demo's. */
export interface SupportRig {
  readonly service: TestService;
  readonly sandbox: CarrierSandbox;
  /** A call below `/v2/support` by the master account; `body` is the whole envelope. */
  ask(method: string, path: string, body?: unknown, options?: AskOptions): Promise<Answer>;
  /** Puts a line, and the make of its device, at the carrier. */
  makeLine(): Promise<TestLine>;
  /** The same, imported into the account; its subscription as the answer shows it. */
  importLine(accountId?: string): Promise<TestLine & { readonly id: string }>;
  /** `database/id revision` of all that an operation on lines may write. */
  revisions(): Promise<readonly string[]>;
  /** A subscription or a device as it is stored. */
  findStored(id: string): Promise<SavedDoc | undefined>;
  /** What the carrier was asked since the last time, `METHOD path`. */
  takeJournal(): Promise<readonly string[]>;
  stop(): Promise<void>;
}

export interface AskOptions {
  readonly token?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

const MAX_DOCS = 10_000;
const HEX = /^[0-9a-f]{32}$/;
let made = 0;

/** What the carrier says of every line that {@link SupportRig.makeLine} makes. */
export const AT_CARRIER = {
  imsi: '310120000000999',
  plan: '260PLAN21',
  features: ['sip', 'mms'],
  carrier_data: { msid: '000004155550999', csa: 'SFRSFR415' },
  activation_date: 63770000000,
};

export const MODEL = { name: 'MOTO E4', number: 'XT1766', manufacturer: 'MOTOROLA' };

/** A subscription as the page shows it. */
export function shownLine({ mdn, esn, sim }: TestLine, id: unknown = expect.stringMatching(HEX)) {
  return { id, mdn, esn, sim, ...AT_CARRIER, suspended: false, carrier_name: 'sprint' };
}

/** The path of a subscription, below that of the surface. */
export function linePath(id: string, accountId = CUSTOMER): string {
  return `/accounts/${accountId}/subscriptions/${id}`;
}

/** A MEID, a number and a SIM that were never given out before in this process. */
export function newLine(): TestLine {
  made += 1;
  const n = String(made).padStart(4, '0');
  return { mdn: `+1415700${n}`, esn: `A1000000AB${n}`, sim: `891480000000000${n}` };
}

/** Opens the rig; close it with `stop`. */
export async function openSupportRig(
  options: { sandbox?: SandboxOptions; service?: TestServiceOptions } = {},
): Promise<SupportRig> {
  const sandbox = await startSandbox(options.sandbox);
  const service = await startTestService({
    ...options.service,
    support: { dataDir: sandbox.dataDir, ...options.service?.support },
  });
  const token = await service.tokenOf(1);

  const ask = (method: string, path: string, body?: unknown, more: AskOptions = {}) =>
    service.call(method, `/v2/support${path}`, {
      token,
      ...(body === undefined ? {} : { body }),
      ...more,
    });

  async function makeLine(): Promise<TestLine> {
    const line = newLine();
    await sandbox.addLine({ ...AT_CARRIER, ...line });
    await sandbox.addEquipment({ esn: line.esn, model: MODEL, msl: '104729' });
    return line;
  }

  return {
    service,
    sandbox,
    ask,
    makeLine,
    async importLine(accountId = CUSTOMER) {
      const line = await makeLine();
      const path = `/accounts/${accountId}/subscriptions/import`;
      const answer = await ask('PUT', path, { data: { mdn: line.mdn } });
      if (answer.status !== 201) throw new Error(JSON.stringify(answer.body));
      return { ...line, id: answer.body.data.id };
    },
    async revisions() {
      const names = [
        databases.subscriptions,
        databases.claims,
        databases.ops,
        accountDatabase(CUSTOMER),
      ];
      const docs = await Promise.all(
        names.map((name) => service.couch.database(name).listDocs({ limit: MAX_DOCS })),
      );
      return docs.flatMap((list, n) => list.map(({ _id, _rev }) => `${names[n]}/${_id} ${_rev}`));
    },
    findStored: (id) => service.couch.database(databases.subscriptions).find(id),
    async takeJournal() {
      const entries = await sandbox.journal();
      await sandbox.clearJournal();
      return entries.map(({ method, path }) => `${method} ${path}`);
    },
    async stop() {
      await service.stop();
      await sandbox.stop();
    },
  };
}
