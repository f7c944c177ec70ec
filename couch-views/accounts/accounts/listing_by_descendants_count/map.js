// How many accounts are anywhere below an account?  Key: each ancestor; counted by group.
function map(doc) {
  if (doc.pvt_type !== 'account' || doc.pvt_deleted || !isArray(doc.pvt_tree)) return;
  for (var i = 0; i < doc.pvt_tree.length; i++) emit(doc.pvt_tree[i], 1);
}
