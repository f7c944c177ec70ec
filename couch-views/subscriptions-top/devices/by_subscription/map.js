// Which devices were imported with a subscription?  Key: subscription id.
function map(doc) {
  if (doc.pvt_type !== 'device' || doc.pvt_deleted || !doc.pvt_subscription_id) return;
  emit(doc.pvt_subscription_id, null);
}
