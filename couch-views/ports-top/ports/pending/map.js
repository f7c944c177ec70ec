// Which ports have a status whose effects may not be done yet?  Key: when it was written.
function map(doc) {
  if (doc.pvt_type !== 'port_in' && doc.pvt_type !== 'port_out') return;
  if (doc.pvt_deleted || doc.pvt_effects !== 'pending') return;
  emit(doc.pvt_modified, null);
}
