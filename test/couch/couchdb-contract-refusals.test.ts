import { callCouch } from '../support/couch-call.js';
import { ownDatabases } from '../support/own-databases.js';

// What the service and its tools count on: true of CouchDB 3.5 and of the embedded store.

const { cleanUp, newDatabase, put } = ownDatabases();

afterAll(cleanUp);

describe('refusals', () => {
  const prefixOf = (path: string, db: string): string => path.replace('{db}', db);
  let db = '';

  beforeAll(async () => {
    db = await newDatabase();
    await put(db, 'a', { v: 1 });
    await put(db, '_design/d', {
      views: {
        plain: { map: 'function (doc) { emit(doc._id); }' },
        reduced: { map: 'function (doc) { emit(doc._id); }', reduce: '_count' },
      },
    });
  });

  it.each<[string, string, unknown, number, string, string | undefined]>([
    ['GET', '{db}x/doc', undefined, 404, 'not_found', 'Database does not exist.'],
    ['DELETE', '{db}x', undefined, 404, 'not_found', 'Database does not exist.'],
    ['GET', '{db}/nope', undefined, 404, 'not_found', 'missing'],
    ['DELETE', '{db}/nope?rev=1-a', undefined, 404, 'not_found', 'missing'],
    ['GET', '{db}/_nope', undefined, 404, 'not_found', 'missing'],
    ['GET', '{db}/a?rev=1-a', undefined, 404, 'not_found', 'missing'],
    ['GET', '{db}/a?rev=nonsense', undefined, 400, 'bad_request', 'Invalid rev format'],
    ['GET', '{db}/nope?open_revs=all', undefined, 404, 'not_found', 'missing'],
    ['PUT', '{db}/a', { v: 2 }, 409, 'conflict', 'Document update conflict.'],
    ['PUT', '{db}/b', { _rev: '1-a' }, 409, 'conflict', 'Document update conflict.'],
    ['DELETE', '{db}/a', undefined, 409, 'conflict', 'Document update conflict.'],
    ['PUT', '{db}/_x', {}, 400, 'illegal_docid', undefined],
    ['PUT', '{db}/b', [1], 400, 'bad_request', 'Document must be a JSON object'],
    ['PUT', '{db}/b', { _x: 1 }, 400, 'doc_validation', 'Bad special document member: _x'],
    ['PUT', '{db}/b', { _rev: 'x' }, 400, 'bad_request', 'Invalid rev format'],
    ['POST', '{db}', { _id: 4 }, 400, 'illegal_docid', 'Document id must be a string'],
    ['POST', '{db}/_bulk_docs', {}, 400, 'bad_request', undefined],
    ['POST', '{db}/_bulk_docs', { docs: [{ _id: '_x' }] }, 400, 'illegal_docid', undefined],
    ['GET', '{db}/_all_docs?limit=x', undefined, 400, 'query_parse_error', undefined],
    ['GET', '{db}/_all_docs?limit=-1', undefined, 400, 'query_parse_error', undefined],
    ['GET', '{db}/_all_docs?descending=x', undefined, 400, 'query_parse_error', undefined],
    ['GET', '{db}/_all_docs?startkey=x', undefined, 400, 'bad_request', 'invalid UTF-8 JSON'],
    ['POST', '{db}/_all_docs', { keys: 1 }, 400, 'bad_request', undefined],
    ['GET', '{db}/_design/d/_view/x', undefined, 404, 'not_found', 'missing_named_view'],
    ['GET', '{db}/_design/x/_view/x', undefined, 404, 'not_found', 'missing'],
    [
      'GET',
      '{db}/_design/d/_view/plain?reduce=true',
      undefined,
      400,
      'query_parse_error',
      'Reduce is invalid for map-only views.',
    ],
    [
      'GET',
      '{db}/_design/d/_view/plain?group=true',
      undefined,
      400,
      'query_parse_error',
      'Invalid use of grouping on a map view.',
    ],
    [
      'GET',
      '{db}/_design/d/_view/reduced?include_docs=true',
      undefined,
      400,
      'query_parse_error',
      '`include_docs` is invalid for reduce',
    ],
    [
      'GET',
      '{db}/_design/d/_view/reduced?keys=[1,2]',
      undefined,
      400,
      'query_parse_error',
      'Multi-key fetches for reduce views must use `group=true`',
    ],
    [
      'GET',
      '{db}/_design/d/_view/plain?startkey=2&endkey=1',
      undefined,
      400,
      'query_parse_error',
      undefined,
    ],
    ['GET', '{db}/_changes?feed=x', undefined, 400, 'bad_request', undefined],
    [
      'GET',
      '{db}/_changes?since=x',
      undefined,
      400,
      'bad_request',
      "Malformed sequence supplied in 'since' parameter.",
    ],
    [
      'GET',
      '{db}/_changes?filter=_selector',
      undefined,
      400,
      'bad_request',
      'Selector must be specified in POST payload',
    ],
    ['GET', '{db}/_changes?filter=x/y', undefined, 404, 'not_found', 'missing'],
    ['POST', '{db}/_find', {}, 400, 'missing_required_key', 'Missing required key: selector'],
    [
      'POST',
      '{db}/_find',
      { selector: { a: { $x: 1 } } },
      400,
      'invalid_operator',
      'Invalid operator: $x',
    ],
    ['POST', '{db}/_find', { selector: { a: 1 }, sort: ['a'] }, 400, 'no_usable_index', undefined],
    ['DELETE', '{db}/_index/x/json/y', undefined, 404, 'not_found', undefined],
    ['PUT', '{db}/_design/x', { views: 5 }, 400, 'invalid_design_doc', undefined],
    ['PUT', '{db}/_design/x', { views: { v: { map: 5 } } }, 400, 'invalid_design_doc', undefined],
    [
      'PUT',
      '{db}/_design/x',
      { views: { v: { map: 'function (' } } },
      400,
      'compilation_error',
      undefined,
    ],
    ['PUT', '{db}/_design/x', { views: { v: { map: '42' } } }, 400, 'compilation_error', undefined],
    [
      'PUT',
      '{db}/_design/x',
      { views: { v: { map: 'function(d){}', reduce: '_x' } } },
      400,
      'invalid_design_doc',
      undefined,
    ],
    ['GET', '/_uuids?count=100000', undefined, 400, 'bad_request', 'count parameter too large'],
  ])('%s %s %j is %d %s', async (method, path, body, status, error, reason) => {
    const call = body === undefined ? {} : { body };
    const answer = await callCouch(method, prefixOf(path, db), call);
    expect(answer.status).toBe(status);
    expect(answer.json).toMatchObject(reason === undefined ? { error } : { error, reason });
  });

  it.each([
    ['POST', '/_all_dbs', 'GET,HEAD'],
    ['PATCH', '{db}', 'DELETE,GET,HEAD,POST'],
    ['PATCH', '{db}/a', 'DELETE,GET,HEAD,POST,PUT,COPY'],
    ['PUT', '{db}/_design/d/_view/plain', 'GET,POST,HEAD'],
    ['DELETE', '{db}/_bulk_docs', 'POST'],
  ])('%s %s is not a method, and the answer says which are', async (method, path, allowed) => {
    const answer = await callCouch(method, prefixOf(path, db), {});
    expect(answer.status).toBe(405);
    expect(answer.headers['allow']).toBe(allowed);
    expect(answer.json).toEqual({
      error: 'method_not_allowed',
      reason: `Only ${allowed} allowed`,
    });
  });

  it('a body that is no JSON is 400', async () => {
    const answer = await callCouch('PUT', `${db}/b`, { raw: '{bad' });
    expect(answer.status).toBe(400);
    expect(answer.json).toEqual({ error: 'bad_request', reason: 'invalid UTF-8 JSON' });
  });

  it('a POST of another type is 415', async () => {
    const headers = { 'content-type': 'text/plain' };
    const answer = await callCouch('POST', db, { raw: '{}', headers });
    expect(answer.status).toBe(415);
    expect(answer.json).toEqual({
      error: 'bad_content_type',
      reason: 'Content-Type must be application/json',
    });
  });
});
