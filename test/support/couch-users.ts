import { randomBytes } from 'node:crypto';
import { type CouchAnswer, type CouchCall, callCouch } from './couch-call.js';
import { storeLogin } from './store.js';

/** A throw-away user of the store and a way to speak as that user. */
export interface CouchUser {
  readonly name: string;
  readonly password: string;
  /** The path of the user's document. */
  readonly path: string;
  call(method: string, path: string, options?: CouchCall): Promise<CouchAnswer>;
}

/** Users of one test file's own. */
export interface OwnUsers {
  newUser(roles?: readonly string[]): Promise<CouchUser>;
  /** A name that nobody has. */
  newName(): string;
  cleanUp(): Promise<void>;
}

/** A request with a Basic login, right or wrong. */
export function callAs(
  name: string,
  password: string,
  method: string,
  path: string,
  options: CouchCall = {},
): Promise<CouchAnswer> {
  const authorization = `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`;
  return callCouch(method, path, options, { base: storeLogin().base, authorization });
}

/** The path of a user's document. */
export function userPath(name: string): string {
  return `/_users/org.couchdb.user:${encodeURIComponent(name)}`;
}

export function ownUsers(): OwnUsers {
  const names: string[] = [];
  const newName = (): string => {
    const name = `tc${randomBytes(8).toString('hex')}`;
    names.push(name);
    return name;
  };
  return {
    newName,
    async newUser(roles = []) {
      const name = newName();
      const password = randomBytes(8).toString('hex');
      const path = userPath(name);
      const body = { name, password, roles, type: 'user' };
      expect((await callCouch('PUT', path, { body })).status).toBe(201);
      return {
        name,
        password,
        path,
        call: (method, to, options) => callAs(name, password, method, to, options),
      };
    },
    async cleanUp() {
      for (const name of names) {
        const { status, json } = await callCouch('GET', userPath(name));
        if (status === 200) await callCouch('DELETE', `${userPath(name)}?rev=${json._rev}`);
      }
    },
  };
}
