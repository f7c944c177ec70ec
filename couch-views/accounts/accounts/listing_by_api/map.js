// Which account has an API key that Kazoo stored in clear?  Key: the API key.
function map(doc) {
  if (doc.pvt_type !== 'account' || doc.pvt_deleted || typeof doc.pvt_api_key !== 'string') return;
  emit(doc.pvt_api_key, { account_id: doc.pvt_account_id });
}
