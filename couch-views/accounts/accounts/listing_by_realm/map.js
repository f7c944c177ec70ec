// Which account has a SIP realm?  Key: the realm in lower case.
function map(doc) {
  if (doc.pvt_type !== 'account' || doc.pvt_deleted || typeof doc.realm !== 'string') return;
  emit(doc.realm.toLowerCase(), {
    account_id: doc.pvt_account_id,
    account_db: doc.pvt_account_db,
  });
}
