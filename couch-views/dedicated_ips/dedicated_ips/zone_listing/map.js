// Which zones have dedicated IPs?  Key: zone; grouped, each zone once.
function map(doc) {
  if (doc.pvt_type !== 'dedicated_ip' || doc.pvt_deleted) return;
  emit(doc.pvt_zone, null);
}
