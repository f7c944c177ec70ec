// Where in the tree is an account?  Key: [account id, its ancestors from the root and itself].
function map(doc) {
  if (doc.pvt_type !== 'account' || doc.pvt_deleted || !isArray(doc.pvt_tree)) return;
  emit([doc._id, doc.pvt_tree.concat([doc._id])], {
    id: doc._id,
    name: doc.name,
    realm: doc.realm,
    flags: doc.flags || [],
  });
}
