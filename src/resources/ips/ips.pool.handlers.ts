import { createHash } from 'node:crypto';
import { InvalidError } from '../../core/errors.js';
import { parseIp } from '../../core/ip-address.js';
import { runLonger } from '../../core/operation.js';
import { validate } from '../../core/validation.js';
import { superduper } from '../../surfaces/crossbar/access.js';
import { pageMembers, presentPage, readPageQuery } from '../../surfaces/crossbar/paging.js';
import { type Route, route } from '../../surfaces/crossbar/route.js';
import { anyBody } from '../../surfaces/crossbar/shapes.js';
import { formatCsv } from './ips.csv.js';
import type { DedicatedIp } from './ips.doc.js';
import {
  allAnswer,
  allQuery,
  ipPatch,
  type NewIps,
  newIpsAnswer,
  newIpsBody,
  readNewIps,
  summaryAnswer,
} from './ips.pool.schema.js';
import type { IpCount, IpFilter, IpPlacement, IpPool } from './ips.pool.service.js';
import { presentIp, presentReadOnly } from './ips.present.js';
import { deletedIp, ipBody, ipDetails, ipParams } from './ips.schema.js';
import type { IpService } from './ips.service.js';

const tag = 'IPs';
/** Milliseconds that an address of a block adds to the time of its request: slow stores too. */
const BLOCK_MS_PER_IP = 5;

/** The services of dedicated IPs, and the same on a store that only pretends to write. */
export interface IpHandlerDeps {
  readonly real: { readonly ips: IpService; readonly pool: IpPool };
  readonly dry: { readonly ips: IpService; readonly pool: IpPool };
}

type Block = Extract<NewIps, { kind: 'block' }>;

/** Adds a block; what is answered of each address is kept, its document is not. */
async function addBlock(pool: IpPool, block: Block) {
  const success: Record<string, ReturnType<typeof presentIp>> = {};
  const error: Record<string, { message: string }> = {};
  const hash = createHash('md5');
  function* all() {
    for (const ip of block.ips) yield { ip, zone: block.zone, host: block.host };
  }
  for await (const { added, refused } of pool.addMany(all())) {
    for (const ip of added) {
      success[ip.ip] = presentIp(ip);
      hash.update(`${ip.ip} ${ip.revision}\n`);
    }
    for (const [ip, message] of refused) {
      error[ip] = { message };
      hash.update(`${ip} ${message}\n`);
    }
  }
  return { data: { success, error }, revision: hash.digest('hex') };
}

function addRoutes(deps: IpHandlerDeps): Route[] {
  const of = (isDryRun: boolean) => (isDryRun ? deps.dry : deps.real);
  return [
    route({
      method: 'PUT',
      path: '/ips',
      operationId: 'createIp',
      tag,
      summary: 'Add an IP, a list of them or a block to the system',
      description:
        'A list or a block answers each address as success or error. It may take a second for ' +
        'some thousand addresses; when it is cut off, the same call again adds the rest.',
      allow: superduper,
      body: anyBody,
      bodyShown: newIpsBody,
      answer: newIpsAnswer,
      status: 201,
      hasDryRun: true,
      run: async ({ data, isDryRun }) => {
        const { ips, pool } = of(isDryRun);
        const wanted = readNewIps(data);
        if (wanted.kind === 'block') {
          return runLonger(wanted.count * BLOCK_MS_PER_IP, () => addBlock(pool, wanted));
        }
        const { ip, zone, host } = wanted.fields;
        const created = await ips.create({ ip, zone, host });
        return { data: { _read_only: presentReadOnly(created) }, revision: created.revision };
      },
    }),
  ];
}

function changeRoutes(deps: IpHandlerDeps): Route[] {
  const of = (isDryRun: boolean) => (isDryRun ? deps.dry : deps.real);
  return [
    route({
      method: 'DELETE',
      path: '/ips/{ip}',
      operationId: 'deleteIp',
      tag,
      summary: 'Remove an IP from the system, assigned or not',
      allow: superduper,
      params: ipParams,
      answer: deletedIp,
      hasPreconditions: true,
      hasDryRun: true,
      run: async ({ params, match, isDryRun }) => {
        const ip = await of(isDryRun).ips.remove(params.ip, match);
        return {
          data: { _read_only: { ...presentReadOnly(ip), deleted: true as const } },
          revision: ip.revision,
        };
      },
    }),
    route({
      method: 'PATCH',
      path: '/ips/{ip}',
      operationId: 'patchIp',
      tag,
      summary: 'Change the zone or the host of an IP, assigned or not',
      allow: superduper,
      params: ipParams,
      body: anyBody,
      bodyShown: ipPatch,
      answer: ipDetails,
      hasPreconditions: true,
      hasDryRun: true,
      run: async ({ params, data, match, isDryRun }) => {
        const placed = await of(isDryRun).pool.place(
          params.ip,
          (found) => readPatch(found, data),
          match,
        );
        return { data: presentIp(placed), revision: placed.revision };
      },
    }),
  ];
}

function canonical(value: unknown): unknown {
  return (typeof value === 'string' ? parseIp(value) : undefined) ?? value;
}

/**
 * What a PATCH changes: the document with it must be one that could be added. Fields that are
 * shown and not changed here may be sent back as they are, so that a client can send what it got.
 */
function readPatch(found: DedicatedIp, patch: Readonly<Record<string, unknown>>): IpPlacement {
  const { zone: _zone, host: _host, ...shown } = { assigned_to: undefined, ...presentIp(found) };
  const issues = Object.entries(shown)
    .filter(([name]) => Object.hasOwn(patch, name))
    .filter(([name, value]) => (canonical(patch[name]) ?? undefined) !== value)
    .map(([name]) => ({
      path: [name],
      rule: 'forbidden',
      message: `${name} cannot be changed by a PATCH`,
      details: { value: patch[name] },
    }));
  if (issues.length > 0) throw new InvalidError(issues);
  const { zone = found.zone, host = found.host } = patch;
  // A null removes, and an address without zone or host is none.
  const fields = { ip: found.ip, zone: zone ?? undefined, host: host ?? undefined };
  return validate(ipBody, fields);
}

/** An empty filter is none, as in the list of available IPs. */
function filterOf(query: {
  status?: IpFilter['status'] | undefined;
  zone?: string | undefined;
  host?: string | undefined;
  assigned_to?: string | undefined;
}): IpFilter {
  const { status, zone, host, assigned_to: assignedTo } = query;
  return {
    ...(status === undefined ? {} : { status }),
    ...(zone ? { zone } : {}),
    ...(host ? { host } : {}),
    ...(assignedTo ? { assignedTo } : {}),
  };
}

type Counts = { available: number; assigned: number; total: number };

function addTo(counts: Counts, { status, count }: IpCount): Counts {
  const isAssigned = status === 'assigned';
  return {
    available: counts.available + (isAssigned ? 0 : count),
    assigned: counts.assigned + (isAssigned ? count : 0),
    total: counts.total + count,
  };
}

function presentCounts(rows: readonly IpCount[]) {
  const none: Counts = { available: 0, assigned: 0, total: 0 };
  const zones = new Map<string, Counts>();
  const hosts = new Map<string, Counts>();
  for (const row of rows) {
    zones.set(row.zone, addTo(zones.get(row.zone) ?? none, row));
    hosts.set(row.host, addTo(hosts.get(row.host) ?? none, row));
  }
  return {
    ...rows.reduce(addTo, none),
    zones: Object.fromEntries(zones),
    hosts: Object.fromEntries(hosts),
    counts: rows.map((row) => ({ ...row, status: row.status as 'available' | 'assigned' })),
  };
}

function listRoutes({ real: { pool } }: IpHandlerDeps): Route[] {
  return [
    route({
      method: 'GET',
      path: '/ips/all',
      operationId: 'listAllIps',
      tag,
      summary: 'List the IPs of the system by status, zone, host and account',
      description: 'As CSV the whole list is sent, whatever its length, and paging is ignored.',
      allow: superduper,
      query: allQuery,
      answer: allAnswer,
      answerMembers: pageMembers,
      media: ['text/csv'],
      run: async ({ query, mediaType }) => {
        const request = readPageQuery(query);
        const filter = filterOf(query);
        if (mediaType === 'text/csv') {
          const stream = formatCsv(pool.listAll(filter, request.descending));
          return { stream, fileName: 'ips.csv' };
        }
        const page = await pool.listPage(filter, request);
        return presentPage(request, { rows: page.rows.map(presentIp), next: page.next });
      },
    }),
    route({
      method: 'GET',
      path: '/ips/summary',
      operationId: 'summarizeIps',
      tag,
      summary: 'Count the IPs of the system by zone, host and status',
      allow: superduper,
      answer: summaryAnswer,
      run: async () => ({ data: presentCounts(await pool.count()) }),
    }),
  ];
}

/** What operators do with the pool as a whole. */
export function poolRoutes(deps: IpHandlerDeps): Route[] {
  return [...addRoutes(deps), ...changeRoutes(deps), ...listRoutes(deps)];
}
