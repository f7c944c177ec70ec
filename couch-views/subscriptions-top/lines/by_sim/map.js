// Whose line is a SIM of?  Key: SIM. Value: account id.
function map(doc) {
  if (doc.pvt_type !== 'subscription' || doc.pvt_deleted || !doc.sim) return;
  emit(doc.sim, doc.pvt_account_id);
}
