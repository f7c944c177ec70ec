// Which SBCs does a media server try for a carrier, the first one first? The values link to the
// SBCs, so include_docs brings them along.  Key: [media server id, carrier, place in the order].
function map(doc) {
  if (doc.pvt_type !== 'media_server' || doc.pvt_deleted) return;
  var priority = doc.carrier_sbc_priority;
  if (typeof priority !== 'object' || priority === null) return;
  var carriers = Object.keys(priority);
  for (var c = 0; c < carriers.length; c += 1) {
    var ids = isArray(priority[carriers[c]]) ? priority[carriers[c]] : [];
    for (var i = 0; i < ids.length; i += 1) {
      if (typeof ids[i] === 'string') emit([doc._id, carriers[c], i], { _id: ids[i] });
    }
  }
}
