// What is the account of this database called?  Key: name.
function map(doc) {
  if (doc.pvt_type !== 'account' || doc.pvt_deleted || typeof doc.name !== 'string') return;
  emit(doc.name, { id: doc._id, name: doc.name });
}
