// Which media servers are in a zone?  Key: [zone, id].
function map(doc) {
  if (doc.pvt_type !== 'media_server' || doc.pvt_deleted) return;
  if (!doc.location || typeof doc.location.zone !== 'string') return;
  emit([doc.location.zone, doc._id], {
    name: doc.name,
    interfaces: doc.interfaces,
    carrier_sbc_priority: doc.carrier_sbc_priority,
  });
}
