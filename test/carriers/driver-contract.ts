import type {
  Carrier,
  CarrierEquipment,
  CarrierLine,
  LineQuery,
  PortMessage,
  UsageFile,
} from '../../src/core/carrier.js';
import type { AppError } from '../../src/core/errors.js';

/** What the carrier behind a driver knows, before any test has run. */
export interface ContractWorld {
  readonly carrier: Carrier;
  /** Lines with an MDN, an ESN and a SIM between them. */
  readonly lines: readonly CarrierLine[];
  readonly equipment: { readonly esn: string; readonly told: CarrierEquipment };
  /** In the order of delivery, at least three; none acknowledged. */
  readonly messages: readonly PortMessage[];
  readonly files: readonly { readonly name: string; readonly content: string }[];
  /** Identifiers of nobody. */
  readonly unknown: { readonly mdn: string; readonly esn: string; readonly sim: string };
}

/** The whole of a usage file. */
export async function readWhole(bytes: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of bytes) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

/** The error of a call that must fail. */
export async function errorOf(call: Promise<unknown>): Promise<AppError> {
  const error: unknown = await call.then(
    (value) => new Error(`it succeeded: ${JSON.stringify(value)}`),
    (thrown: unknown) => thrown,
  );
  if (error instanceof Error && 'code' in error) return error as AppError;
  throw error;
}

function queriesOf({ mdn, esn, sim }: CarrierLine): LineQuery[] {
  return [
    ...(mdn === null ? [] : [{ mdn }]),
    ...(esn === null ? [] : [{ esn }]),
    ...(sim === null ? [] : [{ sim }]),
  ];
}

async function listAllFiles(carrier: Carrier): Promise<UsageFile[]> {
  const listed: UsageFile[] = [];
  let cursor: string | undefined;
  for (;;) {
    const page = await carrier.listUsageFiles(cursor);
    if (page.files.length === 0) return listed;
    listed.push(...page.files);
    cursor = page.cursor;
  }
}

/** What every driver must do, whatever its carrier speaks. Call it once in a test file. */
export function describeDriver(name: string, open: () => Promise<ContractWorld>): void {
  describe(`the driver contract: ${name}`, () => {
    let world: ContractWorld;
    beforeAll(async () => {
      world = await open();
    });

    test('is well', async () => {
      await expect(world.carrier.health()).resolves.toBeUndefined();
    });

    test('finds each line by each identifier it has, whole', async () => {
      const { carrier, lines } = world;
      const asked = lines.flatMap((line) => queriesOf(line).map((query) => ({ query, line })));
      for (const { query, line } of asked) {
        expect([query, await carrier.lookup(query)]).toEqual([query, line]);
      }
      const kinds = new Set(asked.flatMap(({ query }) => Object.keys(query)));
      expect([...kinds].sort()).toEqual(['esn', 'mdn', 'sim']);
    });

    test('says undefined of a line or a device that the carrier does not know', async () => {
      const { carrier, unknown } = world;
      await expect(carrier.lookup({ mdn: unknown.mdn })).resolves.toBeUndefined();
      await expect(carrier.lookup({ esn: unknown.esn })).resolves.toBeUndefined();
      await expect(carrier.lookup({ sim: unknown.sim })).resolves.toBeUndefined();
      await expect(carrier.equipment(unknown.esn)).resolves.toBeUndefined();
    });

    test('tells the make of a device', async () => {
      const { carrier, equipment } = world;
      await expect(carrier.equipment(equipment.esn)).resolves.toEqual(equipment.told);
    });

    test('lists usage files once and reads each whole', async () => {
      const { carrier, files } = world;
      const listed = await listAllFiles(carrier);
      expect(listed.map((file) => file.name)).toEqual(files.map((file) => file.name));
      for (const { name: file, content } of files) {
        expect([file, await readWhole(carrier.openUsageFile(file))]).toEqual([file, content]);
      }
    });

    test('says not found of a usage file that is not there', async () => {
      const error = await errorOf(readWhole(world.carrier.openUsageFile('gone.csv')));
      expect([error.code, error.reason]).toEqual(['not_found', 'usage_file_not_found']);
    });

    test('gives port messages in pages, from a cursor on, until there are no more', async () => {
      const { carrier, messages } = world;
      const first = await carrier.fetchPortMessages(undefined, 2);
      expect(first.messages).toEqual(messages.slice(0, 2));
      const second = await carrier.fetchPortMessages(first.cursor, 100);
      expect(second.messages).toEqual(messages.slice(2));
      const third = await carrier.fetchPortMessages(second.cursor, 100);
      expect(third).toEqual({ messages: [], cursor: second.cursor });
    });

    test('never gives a message again that was acknowledged, and takes it twice', async () => {
      const { carrier, messages } = world;
      const [first, ...rest] = messages;
      await carrier.ackPortMessages([first?.id ?? '']);
      await carrier.ackPortMessages([first?.id ?? '', 'no-such-message']);
      await carrier.ackPortMessages([]);
      const left = await carrier.fetchPortMessages(undefined, 100);
      expect(left.messages).toEqual(rest);
    });
  });
}
