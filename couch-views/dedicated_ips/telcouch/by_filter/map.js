// Which dedicated IPs have this zone, host, status or holder, in whatever combination?
// Key: the name of a stretch, then its filters: ["zone", zone, host, status],
// ["status", status, zone, host], ["host", host, status], ["account", id, zone, host],
// ["account_host", id, host].
function map(doc) {
  if (doc.pvt_type !== 'dedicated_ip' || doc.pvt_deleted) return;
  var zone = doc.pvt_zone;
  var host = doc.pvt_host;
  var status = doc.pvt_status;
  var holder = status === 'assigned' ? doc.pvt_assigned_to : undefined;
  if (typeof zone !== 'string' || typeof host !== 'string' || typeof status !== 'string') return;
  var row = { zone: zone, host: host, status: status, assigned_to: holder };
  emit(['zone', zone, host, status], row);
  emit(['status', status, zone, host], row);
  emit(['host', host, status], row);
  if (typeof holder !== 'string') return;
  emit(['account', holder, zone, host], row);
  emit(['account_host', holder, host], row);
}
