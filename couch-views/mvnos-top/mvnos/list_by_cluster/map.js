// Which MVNO does a cluster belong to?  Key: cluster id. Value: id and names of the carriers.
function map(doc) {
  if (doc.pvt_type !== 'mvno' || doc.pvt_deleted || !doc.cluster_id) return;
  var carriers = Object.keys(doc.carriers || {});
  emit(doc.cluster_id, { id: doc._id, cluster_id: doc.cluster_id, carriers: carriers });
}
