import { callCouch } from '../support/couch-call.js';
import { type CouchUser, ownUsers } from '../support/couch-users.js';

// What the service and its tools count on: true of CouchDB 3.5 and of the embedded store.

const { cleanUp, newUser } = ownUsers();
let user: CouchUser;

beforeAll(async () => {
  user = await newUser();
});
afterAll(cleanUp);

describe('a user without rights', () => {
  it.each([
    ['GET', '/_all_dbs', undefined],
    ['GET', '/_active_tasks', undefined],
    ['GET', '/_membership', undefined],
    ['GET', '/_node/_local/_config', undefined],
    ['GET', '/_scheduler/jobs', undefined],
    ['GET', '/_scheduler/docs', undefined],
    ['GET', '/_db_updates', undefined],
    ['POST', '/_dbs_info', { keys: ['x'] }],
    ['PUT', '/tc-not-to-be', undefined],
    ['DELETE', '/tc-not-to-be', undefined],
    ['GET', '/_users/_all_docs', undefined],
    ['GET', '/_users/_changes', undefined],
  ])('is no server admin for %s %s', async (method, path, body) => {
    const answer = await user.call(method, path, body === undefined ? {} : { body });
    expect(answer).toMatchObject({
      status: 401,
      json: { error: 'unauthorized', reason: 'You are not a server admin.' },
    });
  });

  it.each([
    ['GET', '/_users'],
    ['GET', '/_users/org.couchdb.user:somebody'],
    ['GET', '/_users/_security'],
    ['PUT', '/_users/org.couchdb.user:somebody'],
    ['POST', '/_users/_find'],
    ['POST', '/_users/_bulk_docs'],
    ['GET', '/_replicator'],
  ])('is not let into the database by %s %s', async (method, path) => {
    const answer = await user.call(method, path, method === 'GET' ? {} : { body: {} });
    expect(answer).toMatchObject({
      status: 403,
      json: { error: 'forbidden', reason: 'You are not allowed to access this db.' },
    });
  });

  it.each(['/', '/_up', '/_uuids'])('may ask %s', async (path) => {
    expect((await user.call('GET', path)).status).toBe(200);
  });

  it('cannot be let in, because nobody changes who may see users', async () => {
    const answer = await callCouch('PUT', '/_users/_security', { body: {} });
    expect(answer).toMatchObject({
      status: 403,
      json: {
        error: 'forbidden',
        reason: "You can't edit the security object of the user database.",
      },
    });
  });
});
