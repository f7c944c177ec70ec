// Which dedicated IPs are free in a zone?  Key: zone.
function map(doc) {
  if (doc.pvt_type !== 'dedicated_ip' || doc.pvt_deleted || doc.pvt_status !== 'available') return;
  emit(doc.pvt_zone, { ip: doc._id, zone: doc.pvt_zone });
}
