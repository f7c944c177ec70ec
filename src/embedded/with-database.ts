import type { Database } from './database.js';
import type { Databases } from './databases.js';
import { type Exchange, param } from './exchange.js';
import type { Handler } from './router.js';

/** Makes a handler out of one that wants the database the path names, open while it runs. */
export type WithDatabase = (run: (x: Exchange, database: Database) => Promise<void>) => Handler;

/** Binds handlers to the databases; a name that is not there is 404. */
export function bindDatabases(databases: Databases): WithDatabase {
  return (run) => (x) => databases.use(param(x, 'db'), (database) => run(x, database));
}
