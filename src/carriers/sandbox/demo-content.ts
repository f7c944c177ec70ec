import { createHash } from 'node:crypto';
import { toGregorian } from '../../core/gregorian.js';
import type { Sandbox } from './sandbox.js';
import type { Change } from './state.js';
import { formatUsage } from './usage-csv.js';
import {
  type EquipmentInput,
  type LineInput,
  lineSchema,
  type MessageInput,
  messageSchema,
  type UsageRecord,
} from './wire.js';

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;

/** The first two are those of 2600Hz's pages; their SIM and IMSI are no real ones either. */
const LINES: readonly LineInput[] = [
  {
    mdn: '+14157487153',
    esn: 'A10000009296F2',
    plan: '260PLAN1',
    features: ['international', 'sip', 'mms', 'tethering'],
    carrier_data: { msid: '000004156375241', csa: 'SFRSFR415' },
    activation_date: 63746871056,
  },
  {
    mdn: '+15550001111',
    esn: 'AF0123450ABCDE',
    sim: '01234567890123456789',
    imsi: '9876543210',
    plan: '260PLAN21',
    features: ['international', 'sip', 'mms', 'lte'],
    carrier_data: { msid: '012345678901234', csa: 'SFRSFR415' },
    activation_date: 63648957842,
  },
  {
    mdn: '+14155550142',
    esn: '490154203237518',
    sim: '89148000000745809013',
    imsi: '310120000000142',
    plan: '260PLAN21',
    features: ['sip', 'mms', 'lte'],
    carrier_data: { msid: '000004155550142', csa: 'SFRSFR415' },
    activation_date: 63770000000,
  },
  {
    mdn: '+14155550143',
    sim: '89148000000745809021',
    imsi: '310120000000143',
    plan: '260PLAN1',
    features: ['mms'],
    carrier_data: { msid: '000004155550143', csa: 'SFRSFR415' },
    activation_date: 63780000000,
  },
  {
    mdn: '+12125550144',
    esn: '2DF812CA',
    plan: '260PLAN1',
    features: ['sip'],
    carrier_data: { msid: '000002125550144', csa: 'NYCNYC212' },
    activation_date: 63700000000,
    suspended: true,
  },
  {
    mdn: '+12125550145',
    esn: '270113177609608875',
    plan: '260PLAN1',
    features: ['sip', 'international'],
    carrier_data: { msid: '000002125550145', csa: 'NYCNYC212' },
    activation_date: 63790000000,
  },
];

const EQUIPMENT: readonly EquipmentInput[] = [
  {
    esn: 'A10000009296F2',
    model: { name: 'SAMSUNG L300 HANDSET KIT', number: 'SPHL300KTS', manufacturer: 'SAMSUNG' },
    msl: '104729',
  },
  {
    esn: 'AF0123450ABCDE',
    model: { name: 'SAMSUNG L300 HANDSET KIT', number: 'SPHL300KTS', manufacturer: 'SAMSUNG' },
    msl: '224737',
  },
  {
    esn: '490154203237518',
    model: { name: 'GALAXY S9', number: 'SM-G960U', manufacturer: 'SAMSUNG' },
  },
  {
    esn: '2DF812CA',
    model: { name: 'KYOCERA DURAXT', number: 'E4277', manufacturer: 'KYOCERA' },
    msl: '611953',
  },
  {
    esn: '270113177609608875',
    model: { name: 'MOTO E4', number: 'XT1766', manufacturer: 'MOTOROLA' },
  },
];

/** Numbers with usage that no line has: what an audit shows as unknown. */
const STRANGERS = ['+14155550190', '+14155550191', '+13125550192'];

/** A port in that goes its way, and one out that has just begun. */
function messagesAt(now: number): readonly MessageInput[] {
  const at = (hoursAgo: number) => toGregorian(now - hoursAgo * HOUR_MS);
  const portIn = { direction: 'in', port_id: 'demo-port-in', mdn: '+14155550160' } as const;
  return [
    { id: 'demo-message-1', ...portIn, code: 'pending', timestamp: at(50) },
    { id: 'demo-message-2', ...portIn, code: 'scheduled', timestamp: at(26) },
    {
      id: 'demo-message-3',
      direction: 'out',
      port_id: 'demo-port-out',
      mdn: '+15550001111',
      code: 'submitted',
      extended: 'initial_request',
      timestamp: at(3),
    },
  ];
}

/**
 * Fills a sandbox that is empty, and brings its usage up to this hour: the file of this month
 * grows from start to start, that of the last month is whole. The same hour gives the same bytes.
 */
export async function loadDemoContent(sandbox: Sandbox, now: number): Promise<void> {
  if (sandbox.state.isEmpty()) {
    await sandbox.write([
      ...LINES.map((line): Change => ({ type: 'line', line: lineSchema.parse(line) })),
      ...EQUIPMENT.map((equipment): Change => ({ type: 'equipment', equipment })),
    ]);
    await sandbox.pushMessages(messagesAt(now).map((each) => messageSchema.parse(each)));
  }
  const date = new Date(now);
  const thisMonth = Date.UTC(date.getUTCFullYear(), date.getUTCMonth());
  const lastMonth = Date.UTC(date.getUTCFullYear(), date.getUTCMonth() - 1);
  await putMonth(sandbox, lastMonth, thisMonth);
  await putMonth(sandbox, thisMonth, now);
}

async function putMonth(sandbox: Sandbox, from: number, to: number): Promise<void> {
  const name = `usage-${new Date(from).toISOString().slice(0, 7).replace('-', '')}.csv`;
  const records = usageBetween(from, to);
  if (records.length > 0) {
    await sandbox.putUsageFile(name, formatUsage(records), records.length);
  }
}

/** A session a day for every number, those that have ended by `to`. */
function usageBetween(from: number, to: number): UsageRecord[] {
  const users = [
    ...LINES.map(({ mdn, imsi, sim }) => ({ mdn: mdn ?? '', imsi: imsi ?? '', iccid: sim ?? '' })),
    ...STRANGERS.map((mdn) => ({ mdn, imsi: '', iccid: '' })),
  ];
  const records: UsageRecord[] = [];
  for (let day = from; day < to; day += DAY_MS) {
    const date = new Date(day).toISOString().slice(0, 10);
    for (const user of users) {
      const chance = createHash('sha256').update(`${user.mdn} ${date}`).digest();
      const start = day + chance.readUInt8(0) * 240_000;
      const end = start + HOUR_MS + chance.readUInt8(1) * 10_000;
      if (end > Math.min(to, day + DAY_MS)) continue;
      records.push({
        session_id: `demo-${date}-${user.mdn.slice(1)}`,
        record_type: 'final',
        start: new Date(start).toISOString(),
        end: new Date(end).toISOString(),
        ...user,
        bytes: 1_000_000 + (chance.readUInt32BE(2) % 250_000_000),
      });
    }
  }
  // By their end, so that a later file of the month has this one as its beginning.
  return records.sort((a, b) => a.end.localeCompare(b.end));
}
