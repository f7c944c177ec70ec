// Which hosts have dedicated IPs?  Key: host; grouped, each host once.
function map(doc) {
  if (doc.pvt_type !== 'dedicated_ip' || doc.pvt_deleted) return;
  emit(doc.pvt_host, null);
}
