// Which user has a sign-in name?  Key: user name, which is stored in lower case.
function map(doc) {
  if (doc.pvt_type !== 'user' || doc.pvt_deleted || typeof doc.username !== 'string') return;
  emit(doc.username, null);
}
