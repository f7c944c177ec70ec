// Which accounts below an account have a name that begins like this?
// Key: [each ancestor, document type, name in lower case, letters and digits only].
function map(doc) {
  if (typeof doc.pvt_type !== 'string' || doc.pvt_deleted || !isArray(doc.pvt_tree)) return;
  if (typeof doc.name !== 'string') return;
  var value = doc.name.toLowerCase().replace(/[^a-z0-9]/g, '');
  for (var i = 0; i < doc.pvt_tree.length; i++) {
    emit([doc.pvt_tree[i], doc.pvt_type, value], {
      id: doc._id,
      name: doc.name,
      realm: doc.realm,
      descendants_count: doc.descendants_count || 0,
    });
  }
}
