// Which accounts are directly below an account?  Key: [parent or null, name].
function map(doc) {
  if (doc.pvt_type !== 'account' || doc.pvt_deleted) return;
  if (!isArray(doc.pvt_tree) || typeof doc.name !== 'string') return;
  var depth = doc.pvt_tree.length;
  emit([depth > 0 ? doc.pvt_tree[depth - 1] : null, doc.name], {
    id: doc._id,
    name: doc.name,
    realm: doc.realm,
    descendants_count: doc.descendants_count || 0,
    flags: doc.flags || [],
  });
}
