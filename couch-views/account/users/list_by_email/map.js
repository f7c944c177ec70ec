// Which users have a mail address?  Key: the address in lower case.
function map(doc) {
  if (doc.pvt_type !== 'user' || doc.pvt_deleted || typeof doc.email !== 'string') return;
  emit(doc.email.toLowerCase(), null);
}
