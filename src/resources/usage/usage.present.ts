import { UNKNOWN_ACCOUNT } from './usage.csv.js';
import type { AuditReport, UnknownReport } from './usage.service.js';

function presentReport({ from, to, total, emptyMonths }: AuditReport | UnknownReport) {
  return {
    from,
    to,
    total,
    ...(emptyMonths.length === 0 ? {} : { empty_months: [...emptyMonths] }),
  };
}

/** The audit as the page shows it; `unknown_account` is always there. */
export function presentAudit(report: AuditReport) {
  const known = [...report.accounts].map(([id, sums]) => [id, Object.fromEntries(sums)] as const);
  const unknown = [UNKNOWN_ACCOUNT, Object.fromEntries(report.unknown)] as const;
  return { ...presentReport(report), accounts: Object.fromEntries([...known, unknown]) };
}

/** What unknown numbers used, as the page shows it. */
export function presentUnknown(report: UnknownReport) {
  return { ...presentReport(report), per_mdn: Object.fromEntries(report.perMdn) };
}
