// Which account is directly above an account?  Key: account id; the root's parent is null.
function map(doc) {
  if (doc.pvt_type !== 'account' || doc.pvt_deleted || !isArray(doc.pvt_tree)) return;
  var depth = doc.pvt_tree.length;
  emit(doc._id, { id: depth > 0 ? doc.pvt_tree[depth - 1] : null, flags: doc.flags || [] });
}
