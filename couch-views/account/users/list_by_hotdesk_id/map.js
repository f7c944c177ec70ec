// Which user takes over phones with a hot desk id?  Key: hot desk id.
function map(doc) {
  if (doc.pvt_type !== 'user' || doc.pvt_deleted || !doc.hotdesk || !doc.hotdesk.id) return;
  emit(doc.hotdesk.id, null);
}
