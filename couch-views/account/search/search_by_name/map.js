// Which documents of a type have a name that begins like this?
// Key: [document type, name in lower case, letters and digits only]; users by first and last name.
function map(doc) {
  if (typeof doc.pvt_type !== 'string' || doc.pvt_deleted) return;
  var isUser = doc.pvt_type === 'user';
  var name = isUser ? doc.first_name + ' ' + doc.last_name : doc.name;
  if (typeof name !== 'string') return;
  var row = { id: doc._id, name: name };
  if (isUser) {
    row.first_name = doc.first_name;
    row.last_name = doc.last_name;
  }
  emit([doc.pvt_type, name.toLowerCase().replace(/[^a-z0-9]/g, '')], row);
}
