// Which accounts anywhere below an account are customers of telecom.center's kind?
// Key: each ancestor.
function map(doc) {
  if (doc.pvt_type !== 'account' || doc.pvt_deleted || !isArray(doc.pvt_tree)) return;
  if (typeof doc.pvt_customer_id !== 'string' || doc.pvt_customer_id === '') return;
  for (var i = 0; i < doc.pvt_tree.length; i++) {
    emit(doc.pvt_tree[i], {
      customer_id: doc.pvt_customer_id,
      name: doc.name,
      language: doc.language,
      sip_account_limit: doc.pvt_sip_account_limit,
    });
  }
}
