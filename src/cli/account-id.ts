import { accountIdOf } from '../couch/databases.js';

const ID = /^[0-9a-f]{32}$/;

/**
 * The account that was typed, in any of Kazoo's forms: the id, its database `account/ab/cd/…`, or
 * that name encoded as `pvt_account_db` has it. Undefined for anything else.
 */
export function parseAccountId(text: string): string | undefined {
  if (ID.test(text)) return text;
  return accountIdOf(text.replaceAll(/%2f/gi, '/'));
}
