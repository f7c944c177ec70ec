import { databases } from '../../src/couch/databases.js';
import { type CarrierSandbox, startSandbox } from './carrier-sandbox.js';
import { HOSTED } from './port-rig.js';
import { type Answer, CUSTOMER, startTestService, type TestService } from './service.js';

/** A service with its carrier, asked as a support engineer does. */
export interface PortApi {
  readonly sandbox: CarrierSandbox;
  readonly service: TestService;
  /** A call below `/v2/support` by the super_master. */
  call(method: string, path: string, body?: unknown, headers?: object): Promise<Answer>;
  setStatus(id: string, data: unknown): Promise<Answer>;
  nextMdn(): string;
  /** A line with a device that the carrier has and that is imported. */
  makeLine(clusterId?: string): Promise<{ id: string; mdn: string; esn: string }>;
  /** A port in of a new number to a new line. */
  begin(clusterId?: string): Promise<{
    id: string;
    mdn: string;
    line: { id: string; mdn: string; esn: string };
    // biome-ignore lint/suspicious/noExplicitAny: answers are asserted whole, field by field.
    data: any;
  }>;
  storedLine(id: string): Promise<Readonly<Record<string, unknown>>>;
  close(): Promise<void>;
}

/** Opens databases and a carrier of its own. */
export async function openPortApi(): Promise<PortApi> {
  const sandbox = await startSandbox();
  const service = await startTestService({ support: { dataDir: sandbox.dataDir } });
  const token = await service.tokenOf(1);
  let count = 0;
  const next = () => {
    count += 1;
    return String(count).padStart(4, '0');
  };
  const nextMdn = () => `+1415777${next()}`;

  function call(method: string, path: string, body?: unknown, headers: object = {}) {
    const options = { token, headers: { ...headers } };
    const sent = body === undefined ? options : { ...options, body };
    return service.call(method, `/v2/support/${path}`, sent);
  }

  async function make(path: string, body: unknown, headers = {}) {
    const answer = await call('PUT', path, body, headers);
    if (answer.status !== 201) throw new Error(JSON.stringify(answer.body));
    return answer.body.data;
  }

  async function makeLine(clusterId = HOSTED) {
    const mdn = nextMdn();
    const esn = `A100000${next()}${next().slice(1)}`;
    await sandbox.addLine({ mdn, esn, plan: '260PLAN1' });
    const path = `accounts/${CUSTOMER}/subscriptions/import`;
    const headers = { 'x-kazoo-cluster-id': clusterId };
    const { id } = await make(path, { data: { mdn }, carrier: 'sprint' }, headers);
    return { id: String(id), mdn, esn };
  }

  return {
    sandbox,
    service,
    call,
    setStatus: (id, data) => call('POST', `ports/in/${id}/status`, { data }),
    nextMdn,
    makeLine,
    async begin(clusterId) {
      const line = await makeLine(clusterId);
      const mdn = nextMdn();
      const data = await make('ports/in', { data: { mdn, subscription_id: line.id } });
      return { id: String(data.id), mdn, line, data };
    },
    storedLine: (id) => service.couch.database(databases.subscriptions).get(id),
    async close() {
      await service.stop();
      await sandbox.stop();
    },
  };
}
