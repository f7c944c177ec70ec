/**
 * The part of PouchDB 9 that the embedded store uses. `@types/pouchdb-core` drags in the DOM's
 * globals and knows nothing of `deleted: 'ok'` or of the leveldb adapter.
 */
declare module 'pouchdb-core' {
  import type { PouchConstructor } from './pouch.js';

  const PouchDB: PouchConstructor;

  export = PouchDB;
}

declare module 'pouchdb-adapter-leveldb' {
  const plugin: object;

  export = plugin;
}
