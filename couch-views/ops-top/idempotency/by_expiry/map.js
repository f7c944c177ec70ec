// Which records of idempotency keys are over, and at which revision?
// Key: when the record ends, Unix milliseconds.
function map(doc) {
  if (doc.pvt_type !== 'idempotency_key' || typeof doc.pvt_expires_ms !== 'number') return;
  emit(doc.pvt_expires_ms, doc._rev);
}
