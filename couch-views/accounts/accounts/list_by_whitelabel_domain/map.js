// Which account presents itself under a domain?  Key: the domain in lower case.
function map(doc) {
  if (doc.pvt_type !== 'account' || doc.pvt_deleted) return;
  if (typeof doc.pvt_whitelabel_domain !== 'string') return;
  emit(doc.pvt_whitelabel_domain.toLowerCase(), {
    account_id: doc.pvt_account_id,
    account_db: doc.pvt_account_db,
  });
}
