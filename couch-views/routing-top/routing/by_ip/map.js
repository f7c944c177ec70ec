// Who has this address, and as what?  Key: [canonical address, role]; the roles are sbc,
// cluster_inbound, cluster_outbound and media_top.
function map(doc) {
  if (doc.pvt_deleted || typeof doc.name !== 'string') return;
  var zone = doc.location && doc.location.zone;
  var directions = ['inbound', 'outbound'];
  var i, d, zones, names, n, list;
  if (doc.pvt_type === 'carrier_sbc' && isArray(doc.ips)) {
    for (i = 0; i < doc.ips.length; i += 1) {
      emit([doc.ips[i], 'sbc'], { name: doc.name, zone: zone, carrier: doc.carrier });
    }
  } else if (doc.pvt_type === 'media_server' && isArray(doc.top_ips)) {
    for (i = 0; i < doc.top_ips.length; i += 1) {
      emit([doc.top_ips[i], 'media_top'], { name: doc.name, zone: zone });
    }
  } else if (doc.pvt_type === 'customer_cluster' && doc.ips) {
    for (d = 0; d < directions.length; d += 1) {
      zones = doc.ips[directions[d]];
      names = typeof zones === 'object' && zones !== null ? Object.keys(zones) : [];
      for (n = 0; n < names.length; n += 1) {
        list = isArray(zones[names[n]]) ? zones[names[n]] : [];
        for (i = 0; i < list.length; i += 1) {
          emit([list[i], 'cluster_' + directions[d]], { name: doc.name, zone: names[n] });
        }
      }
    }
  }
}
