// Which clusters does an MVNO have?  Key: MVNO id. Value: cluster id.
function map(doc) {
  if (doc.pvt_type !== 'kazoo_cluster' || doc.pvt_deleted) return;
  emit(doc.mvno_id, doc._id);
}
