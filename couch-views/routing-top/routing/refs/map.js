// Who refers to an SBC or a media server?  Key: ["sbc" or "media", the id referred to].
function map(doc) {
  if (doc.pvt_deleted) return;
  if (doc.pvt_type === 'carrier_sbc' && typeof doc.mobile_media_server === 'string') {
    emit(['media', doc.mobile_media_server], { name: doc.name, field: 'mobile_media_server' });
  }
  if (doc.pvt_type !== 'media_server') return;
  var priority = doc.carrier_sbc_priority;
  if (typeof priority !== 'object' || priority === null) return;
  var carriers = Object.keys(priority);
  for (var c = 0; c < carriers.length; c += 1) {
    var ids = isArray(priority[carriers[c]]) ? priority[carriers[c]] : [];
    for (var i = 0; i < ids.length; i += 1) {
      if (typeof ids[i] === 'string') {
        emit(['sbc', ids[i]], { name: doc.name, field: 'carrier_sbc_priority.' + carriers[c] });
      }
    }
  }
}
