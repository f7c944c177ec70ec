/** A document of each type of the Support API, as the services store it. */
export const supportSamples: Record<string, Record<string, unknown>> = {
  kazoo_cluster: {
    _id: '8a901bea1d3297ef7d4c8d34809472c2',
    pvt_type: 'kazoo_cluster',
    mvno_id: 'm',
  },
  mvno: { _id: 'm', pvt_type: 'mvno', cluster_id: 'c', carriers: { sprint: {} } },
  subscription: {
    _id: '5ab5c8100000000000000000000000001',
    pvt_type: 'subscription',
    mdn: '+14157487153',
    esn: 'A10000009296F2',
    sim: '01234567890123456789',
    pvt_account_id: 'c0ffee00000000000000000000000003',
    pvt_cluster_id: '8a901bea1d3297ef7d4c8d34809472c2',
  },
  port_in: {
    _id: '90b70000000000000000000000000001',
    pvt_type: 'port_in',
    pvt_created: 1,
    mdn: '+14157487153',
    status: { code: 'submitted' },
  },
  usage: {
    _id: 'sprint:1',
    pvt_type: 'usage',
    pvt_account_id: 'c0ffee00000000000000000000000003',
    mdn: '+14157487153',
    bytes: 1,
  },
  customer_cluster: { _id: 'c', pvt_type: 'customer_cluster', name: 'Kazoo Sandbox' },
};
