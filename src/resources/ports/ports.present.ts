import type { Port } from './ports.doc.js';
import type { PollResult } from './ports.poll.js';

/** A port in a list. */
export function presentPortRow(port: Port) {
  const { line } = port;
  return {
    id: port.id,
    direction: port.direction,
    mdn: port.mdn,
    status: port.status,
    carrier_name: port.carrierName,
    mvno_id: port.mvnoId,
    cluster_id: port.clusterId,
    ...(line === undefined
      ? {}
      : {
          account_id: line.accountId,
          subscription_id: line.subscriptionId,
          ...(line.deviceId === undefined ? {} : { device_id: line.deviceId }),
        }),
    created: port.created,
    modified: port.modified,
  };
}

/** A port with all it has been through. */
export function presentPort(port: Port) {
  return { ...presentPortRow(port), status_history: [...port.history] };
}

/** What came of a poll. */
export function presentPoll({ alreadyRunning, carriers }: PollResult) {
  return {
    already_running: alreadyRunning,
    carriers: carriers.map(
      ({ mvnoId, carrier, alreadyRunning: isRunning, hasMore, errors, ...counts }) => ({
        mvno_id: mvnoId,
        carrier,
        already_running: isRunning,
        ...counts,
        has_more: hasMore,
        errors: [...errors],
      }),
    ),
  };
}
