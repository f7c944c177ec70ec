// Which SIP realm has the account of this database?  Key: realm as stored.
function map(doc) {
  if (doc.pvt_type !== 'account' || doc.pvt_deleted || typeof doc.realm !== 'string') return;
  emit(doc.realm, { account_id: doc.pvt_account_id, account_db: doc.pvt_account_db });
}
