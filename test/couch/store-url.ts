export function storeUrl(): string {
  return process.env['COUCHDB_URL'] ?? process.env['TEST_COUCHDB_URL'] ?? '';
}
