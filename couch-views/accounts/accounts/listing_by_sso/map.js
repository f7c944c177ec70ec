// Which account belongs to an identity of a single sign-on provider?  Key: [provider, identity].
function map(doc) {
  if (doc.pvt_type !== 'account' || doc.pvt_deleted) return;
  if (!doc.sso || !doc.sso.provider || !isArray(doc.sso.ids)) return;
  for (var i = 0; i < doc.sso.ids.length; i++) {
    emit([doc.sso.provider, doc.sso.ids[i]], {
      account_id: doc.pvt_account_id,
      account_db: doc.pvt_account_db,
    });
  }
}
