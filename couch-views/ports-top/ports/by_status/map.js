// Which ports stand where?  Key: [type, cluster id or '', status code or '', created]; '' is any.
function map(doc) {
  if (doc.pvt_type !== 'port_in' && doc.pvt_type !== 'port_out') return;
  if (doc.pvt_deleted || !doc.status || !doc.status.code) return;
  var clusters = ['', doc.pvt_cluster_id];
  var codes = ['', doc.status.code];
  for (var i = 0; i < clusters.length; i++) {
    for (var k = 0; k < codes.length; k++) {
      emit([doc.pvt_type, clusters[i], codes[k], doc.pvt_created], null);
    }
  }
}
