// Which devices does an account have, on its lines and detached?  Key: [account id, device id].
function map(doc) {
  if (doc.pvt_deleted || !doc.pvt_account_id) return;
  if (doc.pvt_type === 'subscription' && doc.esn) emit([doc.pvt_account_id, doc.esn], null);
  if (doc.pvt_type === 'device' && !doc.pvt_subscription_id) {
    emit([doc.pvt_account_id, doc._id], null);
  }
}
