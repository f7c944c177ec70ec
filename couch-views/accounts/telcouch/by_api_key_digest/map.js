// Which account has an API key that we issued?  Key: the stored digest of the key.
function map(doc) {
  if (doc.pvt_type !== 'account' || doc.pvt_deleted) return;
  if (typeof doc.pvt_api_key_digest !== 'string') return;
  emit(doc.pvt_api_key_digest, { account_id: doc.pvt_account_id });
}
