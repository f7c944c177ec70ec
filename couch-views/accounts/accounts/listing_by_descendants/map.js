// Which accounts are anywhere below an account?  Key: [each ancestor, name].
function map(doc) {
  if (doc.pvt_type !== 'account' || doc.pvt_deleted) return;
  if (!isArray(doc.pvt_tree) || typeof doc.name !== 'string') return;
  for (var i = 0; i < doc.pvt_tree.length; i++) {
    emit([doc.pvt_tree[i], doc.name], {
      id: doc._id,
      name: doc.name,
      realm: doc.realm,
      tree: doc.pvt_tree,
      flags: doc.flags || [],
    });
  }
}
