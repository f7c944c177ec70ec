import { AppError } from '../core/errors.js';
import type { Cluster } from '../resources/clusters/clusters.doc.js';
import { readCluster } from '../resources/clusters/clusters.schema.js';
import type { Call, Command, Module, Outcome } from './command.js';
import { EXIT } from './exit-codes.js';
import { readKey } from './key-input.js';
import type { Session } from './session.js';
import { formatTable } from './table.js';
import { describeError } from './terminal.js';

const PAGE = 1_000;
/** What is wrong with a cluster and not with the store or the command. */
const FAULTS_OF_CLUSTER: readonly string[] = ['cluster_unreachable', 'sealed_value'];
const HEADINGS = ['Cluster', 'MVNO', 'Address', 'Billed account', 'Is'];

function present(cluster: Cluster) {
  return {
    id: cluster.id,
    mvno_id: cluster.mvnoId,
    api_url: cluster.apiUrl,
    api_key: cluster.sealedApiKey,
    ...(cluster.hostedBillingAccountId === undefined
      ? {}
      : { hosted_billing_account_id: cluster.hostedBillingAccountId }),
  };
}

async function listAll({ services }: Session): Promise<Cluster[]> {
  const clusters: Cluster[] = [];
  let start: { key: unknown; id: string } | undefined;
  do {
    const request = { size: PAGE, descending: false, start };
    const page = await services.support.clusters.service.listPage(request);
    clusters.push(...page.rows);
    start = page.next;
  } while (start !== undefined);
  return clusters;
}

async function list(call: Call): Promise<Outcome> {
  const session = await call.open();
  const { system } = session.services;
  const [own, master] = await Promise.all([system.findClusterId(), system.findMasterClusterId()]);
  const clusters = await listAll(session);
  const rows = clusters.map(({ id, mvnoId, apiUrl, hostedBillingAccountId }) => {
    const is = [id === own ? 'own' : '', id === master ? 'Master Cluster' : ''];
    return [id, mvnoId, apiUrl, hostedBillingAccountId, is.filter(Boolean).join(', ') || undefined];
  });
  for (const line of formatTable(HEADINGS, rows)) call.terminal.print(line);
  if (!clusters.some(({ id }) => id === own)) {
    call.terminal.say(`the own cluster ${own} has no document, so its lines have no MVNO`);
  }
  return { data: { own, master, clusters: clusters.map(present) } };
}

async function show(call: Call): Promise<Outcome> {
  const { services } = await call.open();
  const data = present(await services.support.clusters.service.get(call.args[0] ?? ''));
  for (const line of formatTable(['Field', 'Value'], Object.entries(data))) {
    call.terminal.print(line);
  }
  return { data };
}

async function create(call: Call): Promise<Outcome> {
  const [id = '', mvnoId, apiUrl, billed] = call.args;
  if (!/^[0-9a-f]{32}$/.test(id)) {
    throw new AppError('invalid', 'the id of a cluster is 32 lower-case hex');
  }
  const apiKey = await readKey(call);
  const { services } = await call.open();
  const { service, rules } = services.support.clusters;
  const fields = { mvno_id: mvnoId, api_url: apiUrl, api_key: apiKey };
  const given = billed === undefined ? fields : { ...fields, hosted_billing_account_id: billed };
  const cluster = await service.create(id, await readCluster(id, given, rules));
  call.terminal.print(`created cluster ${id}`);
  return { data: present(cluster) };
}

async function remove(call: Call): Promise<Outcome> {
  const { services } = await call.open();
  const cluster = await services.support.clusters.service.remove(call.args[0] ?? '');
  call.terminal.print(`deleted cluster ${cluster.id}`);
  return { data: present(cluster) };
}

async function check(call: Call): Promise<Outcome> {
  const [id = ''] = call.args;
  const { services } = await call.open();
  try {
    const { masterAccountId, fault } = await services.support.clusters.check(id);
    if (fault === undefined) {
      call.terminal.print(`cluster ${id} answers; its master account is ${masterAccountId}`);
      return { data: { id, master_account_id: masterAccountId } };
    }
    call.terminal.print(`cluster ${id} cannot be used: ${fault}`);
    return { data: { id, fault }, exit: EXIT.failed };
  } catch (error) {
    if (!(error instanceof AppError) || !FAULTS_OF_CLUSTER.includes(error.reason ?? ''))
      throw error;
    const fault = describeError(error);
    call.terminal.print(`cluster ${id} cannot be used: ${fault}`);
    return { data: { id, fault }, exit: EXIT.failed };
  }
}

const CLUSTER = ['cluster: its id, 32 lower-case hex.'];

const commands: readonly Command[] = [
  {
    name: 'list_clusters',
    parameters: [],
    summary: 'List the clusters, and which is our own and which the Master Cluster',
    run: list,
  },
  {
    name: 'show_cluster',
    parameters: ['<cluster>'],
    summary: 'Show a cluster; its API key is shown sealed',
    details: CLUSTER,
    run: show,
  },
  {
    name: 'create_cluster',
    parameters: ['<cluster>', '<mvno>', '<api_url>', '[billed_account]'],
    summary: 'Add a cluster; its API key is asked for, or read from a pipe or a file',
    details: [
      ...CLUSTER,
      'mvno: the id of an MVNO, made with mvnos_maintenance create_mvno.',
      'api_url: where its Crossbar is, without /v2.',
      'A cluster is not changed: delete it and add it again.',
    ],
    options: ['key-file'],
    run: create,
  },
  {
    name: 'delete_cluster',
    parameters: ['<cluster>'],
    summary: 'Delete a cluster that no subscription names; never the Master Cluster',
    details: CLUSTER,
    run: remove,
  },
  {
    name: 'check_cluster',
    parameters: ['<cluster>'],
    summary: 'Try the address and the API key of a cluster, and say what is wrong',
    details: CLUSTER,
    run: check,
  },
];

/** The clusters whose tokens and accounts are known here. */
export const clustersMaintenance: Module = {
  name: 'clusters_maintenance',
  summary: 'The Kazoo clusters that are known here',
  commands,
};
