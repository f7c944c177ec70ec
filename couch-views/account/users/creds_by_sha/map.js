// Which user signs in with a SHA-1 that Kazoo stored?  Key: the hex text.
function map(doc) {
  if (doc.pvt_type !== 'user' || doc.pvt_deleted || !doc.enabled) return;
  if (typeof doc.pvt_sha1_auth !== 'string') return;
  emit(doc.pvt_sha1_auth, { owner_id: doc._id, account_id: doc.pvt_account_id });
}
