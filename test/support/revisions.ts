/** The revision of one document, as CouchDB writes it. */
export const REVISION: unknown = expect.stringMatching(/^\d+-[0-9a-f]{32}$/);
/** The revision of an answer that is no single document: a hash. */
export const HASH: unknown = expect.stringMatching(/^[0-9a-f]{32}$/);
