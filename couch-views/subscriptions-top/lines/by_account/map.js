// Which lines does an account have, and how many?  Key: [account id, MDN or null].
function map(doc) {
  if (doc.pvt_type !== 'subscription' || doc.pvt_deleted || !doc.pvt_account_id) return;
  emit([doc.pvt_account_id, doc.mdn || null], null);
}
