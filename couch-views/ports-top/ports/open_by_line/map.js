// Which unfinished ports does a line have?  Key: subscription id. Value: type.
function map(doc) {
  if (doc.pvt_type !== 'port_in' && doc.pvt_type !== 'port_out') return;
  if (doc.pvt_deleted || !doc.pvt_subscription_id || !doc.status) return;
  if (doc.status.code === 'completed' || doc.status.code === 'canceled') return;
  emit(doc.pvt_subscription_id, doc.pvt_type);
}
