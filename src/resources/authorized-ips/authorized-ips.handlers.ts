import { formatNetwork } from '../../core/ip-address.js';
import { type Command, command } from '../../surfaces/platform-api/command.js';
import {
  addAnswer,
  addParams,
  checkAnswer,
  checkParams,
  deleteAnswer,
  deleteParams,
  listAnswer,
  listParams,
} from './authorized-ips.schema.js';
import type { AuthorizedIpService, Selection } from './authorized-ips.service.js';
import { presentTime } from './authorized-ips.time.js';

const tag = 'Platform: authorized IPs';

/** A text as on Voximplant's page, or what clients need that read a boolean. */
function presentAllowed(isAllowed: boolean, type: 'string' | 'boolean') {
  if (type === 'boolean') return isAllowed;
  return isAllowed ? ('true' as const) : ('false' as const);
}

/** Voximplant's four methods for authorized IPs. */
export function authorizedIpCommands(networks: AuthorizedIpService): readonly Command[] {
  return [
    command({
      name: 'AddAuthorizedAccountIP',
      tag,
      summary: 'Add a network to the white or the black list',
      description: 'One that is there stays as it is but for its description.',
      params: addParams,
      answer: addAnswer,
      async run({ params, caller: { accountId } }) {
        const { authorized_ip: network, allowed: isAllowed, description } = params;
        await networks.add({ accountId, network, isAllowed }, description);
        return { result: 1 as const };
      },
    }),
    command({
      name: 'CheckAuthorizedAccountIP',
      tag,
      summary: 'Test whether an address or network is allowed',
      description:
        'The narrowest network that covers all of it decides; of the same network in both lists ' +
        'the black one.',
      params: checkParams,
      answer: checkAnswer,
      async run({ params, caller: { accountId } }) {
        const { isAllowed, network } = await networks.check(accountId, params.authorized_ip);
        if (network === undefined) return { result: false };
        return { result: isAllowed, authorized_ip: formatNetwork(network) };
      },
    }),
    command({
      name: 'DelAuthorizedAccountIP',
      tag,
      summary: 'Remove a network, all that cover an address, or all',
      params: deleteParams,
      answer: deleteAnswer,
      async run({ params, caller: { accountId } }) {
        const { authorized_ip: exactly, contains_ip: covering, allowed } = params;
        let selection: Selection = { all: true };
        if (covering !== undefined) selection = { covering };
        else if (exactly !== undefined && exactly !== 'all') selection = { exactly };
        return { result: await networks.remove(accountId, selection, allowed) };
      },
    }),
    command({
      name: 'GetAuthorizedAccountIPs',
      tag,
      summary: 'List the networks, in the order they came',
      params: listParams,
      answer: listAnswer,
      async run({ params, caller }) {
        const { authorized_ip: exactly, contains_ip: covering, allowed: isAllowed } = params;
        const { description, offset, count } = params;
        const query = { exactly, covering, isAllowed, description, offset, count };
        const { entries, total } = await networks.list(caller.accountId, query);
        return {
          result: entries.map((entry) => ({
            allowed: presentAllowed(entry.isAllowed, caller.allowedType),
            created: presentTime(entry.created),
            authorized_ip: formatNetwork(entry.network),
          })),
          count: entries.length,
          total_count: total,
        };
      },
    }),
  ];
}
