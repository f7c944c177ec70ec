// Which lines does a cluster have, and how many?  Key: [cluster id, MDN or null].
function map(doc) {
  if (doc.pvt_type !== 'subscription' || doc.pvt_deleted || !doc.pvt_cluster_id) return;
  emit([doc.pvt_cluster_id, doc.mdn || null], null);
}
