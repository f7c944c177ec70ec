import type { Subscription } from './subscriptions.doc.js';
import type { AskedLine, LookedUpLine } from './subscriptions.lookup.js';

/** What the pages show of a subscription: its fields, and the carrier's name among them. */
export function presentSubscription({ id, fields, carrierName }: Subscription) {
  return { id, ...shared(fields), carrier_name: carrierName };
}

/** A subscription within its device. */
export function presentJoined({ id, fields }: Subscription) {
  return { id, ...shared(fields) };
}

/** Types say read-only, and answers are given away. */
function shared(fields: Subscription['fields']) {
  return { ...fields, features: [...fields.features], carrier_data: { ...fields.carrier_data } };
}

/** What a carrier says, identifiers canonical. */
export function presentCarrierLine({ line, identifiers }: AskedLine) {
  const { imsi, plan, features, carrierData, activationDate, suspended } = line;
  const { esn, mdn, sim } = identifiers;
  return {
    esn,
    mdn,
    sim,
    imsi,
    plan,
    features: [...features],
    carrier_data: { ...carrierData },
    activation_date: activationDate,
    suspended,
  };
}

/** The answer to a look-up: the carrier's, and all that is stored where something is. */
export function presentLookup(found: LookedUpLine) {
  const { subscription, carrierName } = found;
  const carrier_data = { ...presentCarrierLine(found), carrier: carrierName };
  if (subscription === undefined) return { carrier_data };
  const { accountId, stored } = subscription;
  // Whatever else the store says of a document is not part of it.
  const shown = Object.entries(stored).filter(([name]) => name === '_id' || !name.startsWith('_'));
  const document = { ...Object.fromEntries(shown), _id: stored._id };
  return { carrier_data, account_id: accountId, document };
}
