// Which documents of a type are in this database, deleted ones included?  Key: document type.
function map(doc) {
  if (typeof doc.pvt_type !== 'string') return;
  emit(doc.pvt_type, null);
}
