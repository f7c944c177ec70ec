// Which account has a name?  Key: the name in lower case, letters and digits only.
function map(doc) {
  if (doc.pvt_type !== 'account' || doc.pvt_deleted || typeof doc.name !== 'string') return;
  emit(doc.name.toLowerCase().replace(/[^a-z0-9]/g, ''), {
    account_id: doc.pvt_account_id,
    account_db: doc.pvt_account_db,
  });
}
