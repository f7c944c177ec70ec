// Whose is a number?  Key: MDN. Value: account id.
function map(doc) {
  if (doc.pvt_type !== 'subscription' || doc.pvt_deleted || !doc.mdn) return;
  emit(doc.mdn, doc.pvt_account_id);
}
