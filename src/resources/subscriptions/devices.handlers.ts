import { AppError } from '../../core/errors.js';
import { validate } from '../../core/validation.js';
import { superMaster } from '../../surfaces/crossbar/access.js';
import {
  contentRevision,
  pageMembers,
  presentPage,
  readPageQuery,
} from '../../surfaces/crossbar/paging.js';
import { type Route, route } from '../../surfaces/crossbar/route.js';
import { accountParams, anyBody } from '../../surfaces/crossbar/shapes.js';
import type { JoinedDevice } from './devices.doc.js';
import {
  presentCappedDevice,
  presentDevice,
  presentImportedDevice,
  presentOpenDevice,
} from './devices.present.js';
import {
  cappedDeviceAnswer,
  deviceAnswer,
  deviceListQuery,
  deviceParams,
  devicePatch,
  devicesAnswer,
} from './devices.schema.js';
import { askedLine, deviceImportBody, deviceOf } from './imports.schema.js';
import { type LineHandlerDeps, pathOf, tag } from './subscriptions.handlers.js';
import type { LineLookup } from './subscriptions.lookup.js';
import { presentCarrierLine } from './subscriptions.present.js';
import {
  carrierEnvelope,
  carrierLineAnswer,
  carrierMember,
  carrierQuery,
  esnParams,
  esnPath,
  holderMembers,
  mdnParams,
  mdnPath,
  recursiveEnvelope,
} from './subscriptions.schema.js';

const base = '/support/accounts/{account_id}/devices';
const shared = { tag, allow: superMaster } as const;

/** A device and its subscription are two documents, so a revision of either would not do. */
function reply<T>(data: T, { subscription }: JoinedDevice, more: Record<string, unknown> = {}) {
  const carrier = subscription === undefined ? {} : { carrier: subscription.carrierName };
  const members = { ...carrier, ...more };
  return { data, members, revision: contentRevision([data, members]) };
}

function importRoute({ real, dry }: LineHandlerDeps): Route {
  return route({
    ...shared,
    method: 'PUT',
    path: `${base}/import`,
    operationId: 'importDevice',
    summary: 'Import an already active device, and its subscription, from its carrier',
    description:
      'With mdn the esn is ignored. A line that any account has already is a 409 that names what ' +
      'is in use, a line without a device a 400. The SIP password is shown in clear.',
    params: accountParams,
    body: deviceImportBody,
    envelope: carrierEnvelope,
    answer: cappedDeviceAnswer,
    answerMembers: carrierMember,
    status: 201,
    checksAccount: true,
    hasDryRun: true,
    run: async ({ params, data, envelope, cluster, isDryRun }) => {
      const { account_id: accountId } = params;
      const { mdn, esn } = askedLine(data);
      const { device, subscription } = await (isDryRun ? dry : real).importLine({
        accountId,
        cluster,
        carrierName: envelope.carrier,
        query: { mdn, esn },
        deviceData: deviceOf(data),
        needsDevice: true,
      });
      if (device === undefined) {
        throw new AppError('not_found', 'somebody has deleted it again', {
          subject: subscription.id,
        });
      }
      const joined = { device, subscription };
      const location = `/support/accounts/${accountId}/devices/${joined.device.id}`;
      return { ...reply(presentImportedDevice(joined), joined), location };
    },
  });
}

/** Look-ups by what stands in the path, in any account or at the carrier. */
function lookupRoutes(lookup: LineLookup): Route[] {
  const atCarrier = {
    ...shared,
    method: 'GET',
    query: carrierQuery,
    answer: carrierLineAnswer,
    answerMembers: carrierMember,
    description: 'The carrier is asked now; what is stored here is not looked at.',
  } as const;
  return [
    route({
      ...shared,
      method: 'GET',
      path: '/support/phone_numbers/{mdn}/device',
      operationId: 'findDeviceByMdn',
      summary: 'Look a device up by its phone number, in any account',
      description: 'The SIP password is shown in clear. No carrier is asked.',
      params: mdnParams,
      answer: cappedDeviceAnswer,
      answerMembers: holderMembers,
      run: async ({ params }) => {
        const joined = await lookup.getDeviceByMdn(validate(mdnPath, params).mdn);
        const { accountId } = joined.subscription;
        return reply(presentCappedDevice(joined), joined, { account_id: accountId });
      },
    }),
    route({
      ...atCarrier,
      path: '/support/phone_numbers/{mdn}/subscription',
      operationId: 'askCarrierByMdn',
      summary: "Get a phone number's subscription from its carrier",
      params: mdnParams,
      run: async ({ params, query, cluster }) => {
        const names = validate(mdnPath, params);
        const asked = await lookup.ask(cluster.id, names, query.carrier);
        return { data: presentCarrierLine(asked), members: { carrier: asked.carrierName } };
      },
    }),
    route({
      ...atCarrier,
      path: '/support/devices/{esn}/subscription',
      operationId: 'askCarrierByEsn',
      summary: "Get a device's subscription from its carrier",
      params: esnParams,
      run: async ({ params, query, cluster }) => {
        const names = validate(esnPath, params);
        const asked = await lookup.ask(cluster.id, names, query.carrier);
        return { data: presentCarrierLine(asked), members: { carrier: asked.carrierName } };
      },
    }),
  ];
}

function readRoutes(lookup: LineLookup): Route[] {
  return [
    route({
      ...shared,
      method: 'GET',
      path: base,
      operationId: 'listMobileDevices',
      summary: "List an account's mobile devices, by their ids; detached ones too",
      description: 'SIP passwords are left out.',
      params: accountParams,
      query: deviceListQuery,
      answer: devicesAnswer,
      answerMembers: pageMembers,
      run: async ({ params, query, cluster }) => {
        const request = readPageQuery(query);
        const { rows, next } = await lookup.listDevices(pathOf(params, cluster), request);
        return presentPage(request, { rows: rows.map(presentDevice), next });
      },
    }),
    route({
      ...shared,
      method: 'GET',
      path: `${base}/{device_id}`,
      operationId: 'getMobileDevice',
      summary: 'A mobile device of an account',
      description: 'The SIP password is left out.',
      params: deviceParams,
      answer: deviceAnswer,
      answerMembers: carrierMember,
      run: async ({ params, cluster }) => {
        const joined = await lookup.getDevice(pathOf(params, cluster), params.device_id);
        return reply(presentDevice(joined), joined);
      },
    }),
  ];
}

function patchRoute({ real }: LineHandlerDeps): Route {
  return route({
    ...shared,
    method: 'PATCH',
    path: `${base}/{device_id}`,
    operationId: 'patchMobileDevice',
    summary: 'Patch any part of a mobile device; its carrier is not told',
    description:
      'Members replace those that are stored, or are merged with `recursive`; null removes. ' +
      '`subscription` changes the subscription document. `data.caps` as it was answered says ' +
      'nothing. `additional_properties.last_manual_update` is set to the time. Private fields ' +
      'are refused by name. The SIP password is shown in clear.',
    params: deviceParams,
    body: anyBody,
    bodyShown: devicePatch,
    envelope: recursiveEnvelope,
    keepsPrivate: true,
    answer: deviceAnswer,
    answerMembers: carrierMember,
    run: async ({ params, data, envelope, cluster }) => {
      const { device_id: id } = params;
      const { recursive } = envelope;
      const joined = await real.patchDevice({ ...pathOf(params, cluster), id, data, recursive });
      return reply(presentOpenDevice(joined), joined);
    },
  });
}

/** Operations on mobile devices and live look-ups (top-support.md A2 1 to 4 and 12). */
export function deviceRoutes(deps: LineHandlerDeps): Route[] {
  return [
    importRoute(deps),
    ...lookupRoutes(deps.lookup),
    ...readRoutes(deps.lookup),
    patchRoute(deps),
  ];
}
