// Which user signs in with a credential that we stored?  Key: each of the two stored digests.
function map(doc) {
  if (doc.pvt_type !== 'user' || doc.pvt_deleted || !doc.enabled) return;
  var owner = { owner_id: doc._id, account_id: doc.pvt_account_id };
  if (typeof doc.pvt_md5_auth_digest === 'string') emit(doc.pvt_md5_auth_digest, owner);
  if (typeof doc.pvt_sha1_auth_digest === 'string') emit(doc.pvt_sha1_auth_digest, owner);
}
