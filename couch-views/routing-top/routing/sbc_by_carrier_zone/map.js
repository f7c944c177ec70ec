// Which SBCs has a carrier in a zone, where no media server has an order of them?
// Key: [carrier, zone, id].
function map(doc) {
  if (doc.pvt_type !== 'carrier_sbc' || doc.pvt_deleted) return;
  if (typeof doc.carrier !== 'string' || !doc.location) return;
  if (typeof doc.location.zone !== 'string' || !isArray(doc.ips)) return;
  emit([doc.carrier, doc.location.zone, doc._id], {
    name: doc.name,
    ips: doc.ips,
    mobile_media_server: doc.mobile_media_server,
  });
}
