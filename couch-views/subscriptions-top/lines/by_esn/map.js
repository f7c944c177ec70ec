// Whose line is a device on?  Key: device id. Value: account id.
function map(doc) {
  if (doc.pvt_type !== 'subscription' || doc.pvt_deleted || !doc.esn) return;
  emit(doc.esn, doc.pvt_account_id);
}
