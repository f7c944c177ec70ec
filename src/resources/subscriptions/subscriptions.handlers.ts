import { superMaster } from '../../surfaces/crossbar/access.js';
import { pageMembers, presentPage, readPageQuery } from '../../surfaces/crossbar/paging.js';
import { type Route, route } from '../../surfaces/crossbar/route.js';
import { accountParams, anyBody } from '../../surfaces/crossbar/shapes.js';
import type { createPatchDevice } from './devices.patch.js';
import { askedLine, deviceDataOf, subscriptionImportBody } from './imports.schema.js';
import type { Subscription } from './subscriptions.doc.js';
import type { createImport } from './subscriptions.import.js';
import type { LineLookup } from './subscriptions.lookup.js';
import type { createMove } from './subscriptions.move.js';
import type { createPatchSubscription } from './subscriptions.patch.js';
import { presentLookup, presentSubscription } from './subscriptions.present.js';
import type { createRemove } from './subscriptions.remove.js';
import {
  carrierEnvelope,
  carrierMember,
  cascadeQuery,
  holderMembers,
  lineListQuery,
  lookupAnswer,
  lookupBody,
  moveBody,
  moveEnvelope,
  readTarget,
  recursiveEnvelope,
  subscriptionAnswer,
  subscriptionParams,
  subscriptionPatch,
  subscriptionsAnswer,
} from './subscriptions.schema.js';

export const tag = 'Support: subscriptions and devices';

/** What can be done with lines. */
export interface LineRules {
  readonly importLine: ReturnType<typeof createImport>;
  readonly removeSubscription: ReturnType<typeof createRemove>;
  readonly moveSubscription: ReturnType<typeof createMove>;
  readonly patchSubscription: ReturnType<typeof createPatchSubscription>;
  readonly patchDevice: ReturnType<typeof createPatchDevice>;
}

export interface LineHandlerDeps {
  readonly real: LineRules;
  /** The same on a store that only pretends to write. */
  readonly dry: LineRules;
  readonly lookup: LineLookup;
}

/** The account of a path, in the cluster that the request names. */
export function pathOf(params: { readonly account_id: string }, cluster: { readonly id: string }) {
  return { accountId: params.account_id, clusterId: cluster.id };
}

/** The answer about one subscription, its carrier in the envelope. */
function reply(line: Subscription) {
  return {
    data: presentSubscription(line),
    revision: line.revision,
    members: { carrier: line.carrierName },
  };
}

const base = '/support/accounts/{account_id}/subscriptions';
const shared = { tag, allow: superMaster } as const;
const one = {
  ...shared,
  params: subscriptionParams,
  answer: subscriptionAnswer,
  answerMembers: carrierMember,
} as const;

function lookupRoute(lookup: LineLookup): Route {
  return route({
    ...shared,
    method: 'POST',
    path: '/support/subscriptions/lookup',
    operationId: 'lookUpSubscription',
    summary: 'Look a subscription up at its carrier, and in every account',
    description:
      'The carrier is asked for mdn before sim before esn; another one that it contradicts is a ' +
      '400. `account_id` and `document`, with all private fields, are there when an account has ' +
      'the line. Nothing is written.',
    body: lookupBody,
    envelope: carrierEnvelope,
    answer: lookupAnswer,
    answerMembers: carrierMember,
    run: async ({ data, envelope, cluster }) => {
      const found = await lookup.lookUp(cluster.id, askedLine(data), envelope.carrier);
      return { data: presentLookup(found), members: { carrier: found.carrierName } };
    },
  });
}

function importRoute({ real, dry }: LineHandlerDeps): Route {
  return route({
    ...shared,
    method: 'PUT',
    path: `${base}/import`,
    operationId: 'importSubscription',
    summary: 'Import an active subscription from its carrier, and its device if it has one',
    description:
      'The carrier is asked for mdn before sim before esn; another one that it contradicts is a ' +
      '400. A line that any account has already is a 409 that names what is in use.',
    params: accountParams,
    body: subscriptionImportBody,
    envelope: carrierEnvelope,
    answer: subscriptionAnswer,
    answerMembers: carrierMember,
    status: 201,
    checksAccount: true,
    hasDryRun: true,
    run: async ({ params, data, envelope, cluster, isDryRun }) => {
      const { account_id: accountId } = params;
      const { subscription } = await (isDryRun ? dry : real).importLine({
        accountId,
        cluster,
        carrierName: envelope.carrier,
        query: askedLine(data),
        deviceData: deviceDataOf(data),
        needsDevice: false,
      });
      const location = `/support/accounts/${accountId}/subscriptions/${subscription.id}`;
      return { ...reply(subscription), location };
    },
  });
}

function readRoutes(lookup: LineLookup): Route[] {
  return [
    route({
      ...shared,
      method: 'GET',
      path: base,
      operationId: 'listSubscriptions',
      summary: "List an account's subscriptions, by their numbers",
      params: accountParams,
      query: lineListQuery,
      answer: subscriptionsAnswer,
      answerMembers: pageMembers,
      run: async ({ params, query, cluster }) => {
        const request = readPageQuery(query);
        const { rows, next } = await lookup.listLines(pathOf(params, cluster), request);
        return presentPage(request, { rows: rows.map(presentSubscription), next });
      },
    }),
    route({
      ...one,
      method: 'GET',
      path: `${base}/{subscription_id}`,
      operationId: 'getSubscription',
      summary: 'A subscription of an account',
      run: async ({ params, cluster }) =>
        reply(await lookup.getLine(pathOf(params, cluster), params.subscription_id)),
    }),
  ];
}

function changeRoutes({ real, dry }: LineHandlerDeps): Route[] {
  return [
    route({
      ...one,
      method: 'DELETE',
      path: `${base}/{subscription_id}`,
      operationId: 'deleteSubscription',
      summary: 'Delete a subscription here; its carrier is not told',
      description:
        'Answers what it was. Without `cascade` its device stays in the account, detached: it ' +
        'has no subscription until an import adopts it.',
      query: cascadeQuery,
      dataOptional: true,
      hasPreconditions: true,
      hasDryRun: true,
      run: async ({ params, query, cluster, match, isDryRun }) => {
        const subscriptionId = params.subscription_id;
        const cascade = query.cascade === 'true';
        const input = { ...pathOf(params, cluster), subscriptionId, cascade };
        return reply(await (isDryRun ? dry : real).removeSubscription(input, match));
      },
    }),
    route({
      ...one,
      method: 'PATCH',
      path: `${base}/{subscription_id}`,
      operationId: 'patchSubscription',
      summary: 'Patch any part of a subscription; its carrier is not told',
      description:
        'Members replace those that are stored, or are merged with `recursive`; null removes. ' +
        'Another mdn, sim or esn has to be free. `additional_properties.last_manual_update` is ' +
        'set to the time. Private fields, `id` and what a move changes are refused by name.',
      body: anyBody,
      bodyShown: subscriptionPatch,
      envelope: recursiveEnvelope,
      keepsPrivate: true,
      hasPreconditions: true,
      run: async ({ params, data, envelope, cluster, match }) => {
        const { subscription_id: id } = params;
        const { recursive } = envelope;
        const input = { ...pathOf(params, cluster), id, data, recursive };
        return reply(await real.patchSubscription(input, match));
      },
    }),
  ];
}

function moveRoute({ real, dry }: LineHandlerDeps): Route {
  return route({
    ...one,
    method: 'POST',
    path: `${base}/{subscription_id}/move`,
    operationId: 'moveSubscription',
    summary: 'Move a subscription and its device to another account, or another cluster',
    description:
      'The target stands in `data` or beside it. Moved there before from this account: the ' +
      'same answer; moved elsewhere since: 409. An account of another cluster is not looked ' +
      'for, the cluster has to be known.',
    body: moveBody,
    envelope: moveEnvelope,
    dataOptional: true,
    answerMembers: holderMembers,
    hasPreconditions: true,
    hasDryRun: true,
    run: async ({ params, data, envelope, cluster, match, isDryRun }) => {
      const subscriptionId = params.subscription_id;
      const target = readTarget(data, envelope);
      const input = { ...pathOf(params, cluster), subscriptionId, ...target };
      const moved = await (isDryRun ? dry : real).moveSubscription(input, match);
      const { members, ...answer } = reply(moved);
      return { ...answer, members: { ...members, account_id: moved.accountId } };
    },
  });
}

/** Operations on subscriptions (top-support.md A2 13 to 17), and what they have left readable. */
export function subscriptionRoutes(deps: LineHandlerDeps): Route[] {
  return [
    lookupRoute(deps.lookup),
    importRoute(deps),
    ...readRoutes(deps.lookup),
    ...changeRoutes(deps),
    moveRoute(deps),
  ];
}
