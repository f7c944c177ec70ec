// Which SIP accounts does an account have, and what are they sorted and filtered by?
// Key: account id. Value: revision, user name, caller id name, internal and external caller id,
// switches as bits (allowed IPs used 1, external calls allowed 2, on demand 4, incoming internal 8
// and external 16, outgoing internal 32 and external 64), allowed IPs.
function map(doc) {
  if (doc.pvt_type !== 'device' || doc.pvt_deleted || !/^[0-9a-f]{32}$/.test(doc._id)) return;
  if (typeof doc.pvt_account_id !== 'string') return;
  if (!doc.sip || typeof doc.sip.username !== 'string') return;
  var internal = (doc.caller_id && doc.caller_id.internal) || {};
  var external = (doc.caller_id && doc.caller_id.external) || {};
  var switches = [
    'use_allowed_ips',
    'allow_external_calls',
    'on_demand',
    'incoming_internal',
    'incoming_external',
    'outgoing_internal',
    'outgoing_external',
  ];
  var bits = 0;
  for (var n = 0; n < switches.length; n += 1) if (doc[switches[n]] === true) bits += 1 << n;
  emit(doc.pvt_account_id, [
    doc._rev,
    doc.sip.username,
    typeof internal.name === 'string' ? internal.name : external.name,
    internal.number,
    external.number,
    bits,
    doc.allowed_ips,
  ]);
}
