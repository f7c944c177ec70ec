// Which dedicated IPs does an account have?  Key: account id.
function map(doc) {
  if (doc.pvt_type !== 'dedicated_ip' || doc.pvt_deleted || doc.pvt_status !== 'assigned') return;
  emit(doc.pvt_assigned_to, { ip: doc._id, zone: doc.pvt_zone });
}
