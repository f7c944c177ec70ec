import { createHash } from 'node:crypto';
import { accountDatabase } from '../../src/couch/databases.js';
import type { DatabaseName, SavedDoc } from '../../src/couch/types.js';
import type { TestService } from './service.js';

/** What Kazoo's clients send for a user name and password: lower-case hex. */
export function credentialsOf(
  username: string,
  password: string,
  algorithm: 'md5' | 'sha1' = 'md5',
): string {
  return createHash(algorithm).update(`${username}:${password}`).digest('hex');
}

/** Creates an account below another; its id. */
export async function createAccount(
  service: TestService,
  parentId: string,
  fields: Readonly<Record<string, unknown>>,
): Promise<string> {
  const token = await service.tokenOf(1);
  const answer = await service.call('PUT', `/v2/accounts/${parentId}`, {
    token,
    body: { data: fields },
  });
  if (answer.status !== 201) throw new Error(JSON.stringify(answer.body));
  return answer.body.data.id;
}

/** Creates a user; its id. */
export async function createUser(
  service: TestService,
  accountId: string,
  fields: Readonly<Record<string, unknown>>,
): Promise<string> {
  const token = await service.tokenOf(1);
  const answer = await service.call('PUT', `/v2/accounts/${accountId}/users`, {
    token,
    body: { data: { first_name: 'Test', last_name: 'Person', ...fields } },
  });
  if (answer.status !== 201) throw new Error(JSON.stringify(answer.body));
  return answer.body.data.id;
}

/** A token by user name and password, in an account that is named by its name. */
export async function tokenOfUser(
  service: TestService,
  accountName: string,
  username: string,
  password: string,
): Promise<string> {
  const credentials = credentialsOf(username, password);
  const answer = await service.call('PUT', '/v2/user_auth', {
    body: { data: { credentials, account_name: accountName } },
  });
  if (answer.status !== 201) throw new Error(JSON.stringify(answer.body));
  return answer.body.auth_token;
}

/** The document as it is stored in an account's database. */
export function storedIn(service: TestService, accountId: string, id: string): Promise<SavedDoc> {
  return service.couch.database(accountDatabase(accountId)).get(id);
}

/** Every document of every database of the service, as one text to search in. */
export async function everythingStored(service: TestService): Promise<string> {
  const texts: string[] = [];
  for (const name of await service.couch.listDatabases('')) {
    texts.push(JSON.stringify(await allDocs(service, name)));
  }
  return texts.join('\n');
}

function allDocs(service: TestService, name: DatabaseName): Promise<readonly SavedDoc[]> {
  return service.couch.database(name).listDocs({ limit: 10_000 });
}

/** What a token says, its signature unchecked. */
export function claimsOf(token: string): Record<string, unknown> {
  const [, payload = ''] = token.split('.');
  return JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')) as Record<string, unknown>;
}
