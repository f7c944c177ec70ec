// Which accounts below an account have an id that begins like this?
// Key: [each ancestor, document type, id].
function map(doc) {
  if (typeof doc.pvt_type !== 'string' || doc.pvt_deleted || !isArray(doc.pvt_tree)) return;
  for (var i = 0; i < doc.pvt_tree.length; i++) {
    emit([doc.pvt_tree[i], doc.pvt_type, doc._id], {
      id: doc._id,
      name: doc.name,
      realm: doc.realm,
      descendants_count: doc.descendants_count || 0,
    });
  }
}
