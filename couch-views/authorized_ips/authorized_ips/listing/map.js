// Which networks did an account authorize or ban, all or those of one list or one description?
// Key: account, list or null, description or null, created, then family, network, length, list.
function map(doc) {
  if (doc.pvt_type !== 'authorized_ip' || doc.pvt_deleted) return;
  // <account>:<4|6>:<network hex>:<length>:<w|b>
  var parts = doc._id.split(':');
  if (parts.length !== 5) return;
  var texts = [null];
  if (typeof doc.description === 'string' && doc.description !== '') texts.push(doc.description);
  for (var n = 0; n < texts.length; n += 1) {
    var end = [texts[n], doc.pvt_created, parts[1], parts[2], parts[3], parts[4]];
    emit([parts[0], null].concat(end), null);
    emit([parts[0], parts[4]].concat(end), null);
  }
}
