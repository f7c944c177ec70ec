// Which customer clusters, SBCs or media servers are there, and what do lists show of them?
// Key: [pvt_type, name].
function map(doc) {
  if (doc.pvt_deleted || typeof doc.name !== 'string') return;
  if (doc.pvt_type === 'customer_cluster') {
    emit([doc.pvt_type, doc.name], { owner: doc.owner });
  } else if (doc.pvt_type === 'carrier_sbc') {
    emit([doc.pvt_type, doc.name], {
      carrier: doc.carrier,
      location: doc.location,
      mobile_media_server: doc.mobile_media_server,
    });
  } else if (doc.pvt_type === 'media_server') {
    emit([doc.pvt_type, doc.name], {
      location: doc.location,
      carrier_sbc_priority: doc.carrier_sbc_priority,
    });
  }
}
