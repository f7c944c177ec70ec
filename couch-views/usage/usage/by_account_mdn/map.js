// How many bytes did each number use?  Key: [account id or null, MDN]. Value: bytes.
function map(doc) {
  if (doc.pvt_type !== 'usage' || doc.pvt_deleted) return;
  if (typeof doc.mdn !== 'string' || typeof doc.bytes !== 'number') return;
  emit([doc.pvt_account_id || null, doc.mdn], doc.bytes);
}
