import { validate } from '../../core/validation.js';
import { superMaster } from '../../surfaces/crossbar/access.js';
import { type Route, route } from '../../surfaces/crossbar/route.js';
import { formatAudit, UNKNOWN_ACCOUNT } from './usage.csv.js';
import { presentAudit, presentUnknown } from './usage.present.js';
import {
  auditAnswer,
  monthParams,
  monthQuery,
  monthsQuery,
  unknownAnswer,
} from './usage.schema.js';
import type { UsageService } from './usage.service.js';

const tag = 'Support: usage';

function auditRoutes(usage: UsageService): Route[] {
  const summary = 'Get the data usage across all accounts';
  return [
    route({
      method: 'GET',
      path: '/support/usage/audit',
      operationId: 'auditUsage',
      tag,
      summary,
      allow: superMaster,
      query: monthsQuery,
      answer: auditAnswer,
      run: async ({ query }) => ({ data: presentAudit(await usage.audit(query)) }),
    }),
    route({
      method: 'GET',
      path: '/support/usage/audit/{month}',
      operationId: 'auditUsageOfMonth',
      tag,
      summary: `${summary} in a month`,
      allow: superMaster,
      params: monthParams,
      answer: auditAnswer,
      run: async ({ params }) => ({
        data: presentAudit(await usage.audit(validate(monthQuery, params))),
      }),
    }),
    route({
      method: 'GET',
      path: '/support/usage/audit/{month}/csv',
      operationId: 'exportUsageOfMonth',
      tag,
      summary: `${summary} in a month, as CSV`,
      description:
        'Columns `account_id,mdn,usage`, a row for each account and number, sorted; numbers that ' +
        `no line has stand at the end, with \`${UNKNOWN_ACCOUNT}\`. Errors are JSON. ` +
        'Cells that could start a formula begin with an apostrophe, as numbers do for their plus.',
      allow: superMaster,
      params: monthParams,
      onlyMedia: 'text/csv',
      run: async ({ params }) => {
        const { month } = validate(monthQuery, params);
        const stream = formatAudit(usage.readRows(month));
        return { stream, fileName: `usage_audit_${month}.csv` };
      },
    }),
  ];
}

/** The operations on usage (support.txt; top-support.md A2, 5 to 9). */
export function usageRoutes(usage: UsageService): Route[] {
  const summary = 'Get the data usage of "unknown" numbers';
  return [
    route({
      method: 'GET',
      path: '/support/usage/unknown_numbers',
      operationId: 'listUnknownNumbers',
      tag,
      summary,
      allow: superMaster,
      query: monthsQuery,
      answer: unknownAnswer,
      run: async ({ query }) => ({ data: presentUnknown(await usage.listUnknown(query)) }),
    }),
    route({
      method: 'GET',
      path: '/support/usage/unknown_numbers/{month}',
      operationId: 'listUnknownNumbersOfMonth',
      tag,
      summary: `${summary} in a month`,
      allow: superMaster,
      params: monthParams,
      answer: unknownAnswer,
      run: async ({ params }) => ({
        data: presentUnknown(await usage.listUnknown(validate(monthQuery, params))),
      }),
    }),
    ...auditRoutes(usage),
  ];
}
