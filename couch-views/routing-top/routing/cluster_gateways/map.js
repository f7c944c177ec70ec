// Which gateways has a customer cluster in a direction and a zone, in their order?
// Key: [cluster id, inbound or outbound, zone, place in the list].
function map(doc) {
  if (doc.pvt_type !== 'customer_cluster' || doc.pvt_deleted || !doc.ips) return;
  var directions = ['inbound', 'outbound'];
  for (var d = 0; d < directions.length; d += 1) {
    var zones = doc.ips[directions[d]];
    var names = typeof zones === 'object' && zones !== null ? Object.keys(zones) : [];
    for (var n = 0; n < names.length; n += 1) {
      var list = isArray(zones[names[n]]) ? zones[names[n]] : [];
      for (var i = 0; i < list.length; i += 1) {
        emit([doc._id, directions[d], names[n], i], list[i]);
      }
    }
  }
}
