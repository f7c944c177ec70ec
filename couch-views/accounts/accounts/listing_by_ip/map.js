// Which account signs in from an address?  Key: each address of the account's list.
function map(doc) {
  if (doc.pvt_type !== 'account' || doc.pvt_deleted || !isArray(doc.ips)) return;
  for (var i = 0; i < doc.ips.length; i++) {
    var entry = doc.ips[i];
    if (!entry || typeof entry.ip !== 'string') continue;
    emit(entry.ip, { owner_id: entry.owner_id, account_id: doc.pvt_account_id });
  }
}
