// Which ports has a number had?  Key: [MDN, created]. Value: direction and status code.
function map(doc) {
  if (doc.pvt_type !== 'port_in' && doc.pvt_type !== 'port_out') return;
  if (doc.pvt_deleted || !doc.mdn) return;
  emit([doc.mdn, doc.pvt_created], { type: doc.pvt_type, code: doc.status && doc.status.code });
}
