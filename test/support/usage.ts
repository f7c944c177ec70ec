import { Readable } from 'node:stream';
import { toGregorian } from '../../src/core/gregorian.js';
import { createClaims } from '../../src/couch/claims.js';
import { databases } from '../../src/couch/databases.js';
import type { TestService } from './service.js';

const HEADING = 'session_id,record_type,start,end,mdn,imsi,iccid,bytes';

/** A row of a usage file; what is absent is empty, or as the first row of a month has it. */
export interface UsageCells {
  readonly session?: string;
  readonly type?: string;
  readonly start?: string;
  readonly end?: string;
  readonly mdn?: string;
  readonly bytes?: number | string;
}

/** The text of a usage file (docs/carriers.md). */
export function usageFile(...rows: readonly UsageCells[]): string {
  const lines = rows.map(
    ({ session = '', type = 'final', start = '2026-11-01T00:00:00Z', end = '', ...row }) =>
      [session, type, start, end, row.mdn ?? '+14155550100', '', '', row.bytes ?? 1].join(','),
  );
  return `${[HEADING, ...lines].join('\r\n')}\r\n`;
}

/** Takes the text of a file in, as an import does. */
export function ingest(service: TestService, text: string, carrier = 'sprint') {
  const pieces = Readable.from([Buffer.from(text)]);
  return service.services.support.usage.ingest({ carrier, pieces, isGrowing: false });
}

let lines = 0;

/** Gives a line to an account, by its claim and its document, with no carrier asked. */
export async function holdLine(
  service: TestService,
  mdn: string,
  accountId: string,
): Promise<string> {
  lines += 1;
  const id = `d${lines.toString(16).padStart(31, '0')}`;
  const claims = createClaims({ couch: service.couch, now: Date.now });
  const owner = { id, database: databases.subscriptions };
  await claims.acquire('mdn', mdn, owner, () => Promise.resolve(true));
  const now = toGregorian(Date.now());
  await service.couch.database(databases.subscriptions).put({
    _id: id,
    pvt_type: 'subscription',
    pvt_vsn: '1',
    pvt_created: now,
    pvt_modified: now,
    pvt_carrier_name: 'sprint',
    pvt_mvno: '2600hz',
    pvt_cluster_id: '8a901bea1d3297ef7d4c8d34809472c2',
    pvt_account_id: accountId,
    mdn,
  });
  await claims.confirm('mdn', mdn, id);
  return id;
}
