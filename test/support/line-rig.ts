import type { LineInput } from '../../src/carriers/sandbox/wire.js';
import { type CarrierSandbox, startSandbox } from './carrier-sandbox.js';
import { callCouch } from './couch-call.js';
import {
  type Answer,
  startTestService,
  type TestService,
  type TestServiceOptions,
} from './service.js';

/** The cluster of this installation, and another one that it knows. */
export const HOSTED = '8a901bea1d3297ef7d4c8d34809472c2';
export const OTHER = 'aa2b36ac6a5edb290159cd1298283322';

/** A line at the carrier with all three identifiers, canonical. */
export interface MadeLine {
  readonly mdn: string;
  readonly esn: string;
  readonly sim: string;
}

/** A service and its carrier, with lines that nobody has yet. */
export interface LineRig {
  readonly service: TestService;
  readonly sandbox: CarrierSandbox;
  readonly token: string;
  /** A new line at the carrier; `more` is over what it has by itself. */
  makeLine(more?: Partial<LineInput>): Promise<MadeLine>;
  /** A request of the master account; `data` is put into the envelope. */
  ask(method: string, path: string, data?: unknown, envelope?: object): Promise<Answer>;
  importInto(accountId: string, data: object, envelope?: object): Promise<Answer>;
  /** An account of its own, below the demo's master. */
  makeAccount(fields?: object): Promise<string>;
  close(): Promise<void>;
}

/** Lines that are not of the demo data, and no other rig's. */
export function createLineMaker(sandbox: CarrierSandbox, first = 1) {
  let count = first;
  return async (more: Partial<LineInput> = {}): Promise<MadeLine> => {
    const n = count;
    count += 1;
    const digits = String(n).padStart(7, '0');
    const line = {
      mdn: `+1312${digits}`,
      esn: `A1000000${n.toString(16).toUpperCase().padStart(6, '0')}`,
      sim: `8914800000${digits}999`,
    };
    const features = ['international', 'sip'];
    const carrier_data = { msid: `00000${digits}`, csa: 'SFRSFR415' };
    const known = { imsi: null, plan: '260PLAN1', features, carrier_data, suspended: false };
    const activation_date = 63_746_871_056;
    await sandbox.addLine({ ...line, ...known, activation_date, ...more } as LineInput);
    return line;
  };
}

/** Starts both; the sandbox carrier has no lines but those that are made. */
export async function openLineRig(options: TestServiceOptions = {}): Promise<LineRig> {
  const sandbox = await startSandbox();
  const support = { dataDir: sandbox.dataDir, ...options.support };
  const service = await startTestService({ ...options, support });
  const token = await service.tokenOf(1);
  const makeLine = createLineMaker(sandbox);
  let accounts = 0;

  const ask: LineRig['ask'] = (method, path, data, envelope = {}) => {
    const body = data === undefined ? envelope : { ...envelope, data };
    const isEmpty = data === undefined && Object.keys(envelope).length === 0;
    return service.call(method, path, { token, ...(isEmpty ? {} : { body }) });
  };

  return {
    service,
    sandbox,
    token,
    makeLine,
    ask,
    importInto: (accountId, data, envelope) =>
      ask('PUT', `/v2/support/accounts/${accountId}/subscriptions/import`, data, envelope),
    async makeAccount(fields = {}) {
      accounts += 1;
      const data = { name: `Lines ${accounts}`, ...fields };
      const made = await ask('PUT', '/v2/accounts', data);
      if (made.status !== 201) throw new Error(JSON.stringify(made.body));
      return made.body.data.id;
    },
    async close() {
      await service.stop();
      await sandbox.stop();
    },
  };
}

/** A stored document, or undefined; the database is named without prefix. */
export async function readDoc(dbPrefix: string, database: string, id: string) {
  const path = `/${encodeURIComponent(`${dbPrefix}${database}`)}/${encodeURIComponent(id)}`;
  const answer = await callCouch('GET', path);
  return answer.status === 200 ? answer.json : undefined;
}
