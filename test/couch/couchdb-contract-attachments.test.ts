import { callCouch } from '../support/couch-call.js';
import { ownDatabases } from '../support/own-databases.js';

// What the service and its tools count on: true of CouchDB 3.5 and of the embedded store.

const { cleanUp, newDatabase, put } = ownDatabases();

afterAll(cleanUp);

describe('attachments', () => {
  it('are put, read, kept by updates, and deleted', async () => {
    const db = await newDatabase();
    const headers = { 'content-type': 'image/x' };
    const made = await callCouch('PUT', `${db}/a/some/file.txt`, { raw: 'hello', headers });
    const read = await callCouch('GET', `${db}/a/some/file.txt`);
    const { json: doc } = await callCouch('GET', `${db}/a`);
    expect(made.status).toBe(201);
    expect(read).toMatchObject({ status: 200, text: 'hello' });
    expect(read.headers['content-type']).toBe('image/x');
    expect(doc._attachments['some/file.txt']).toMatchObject({
      content_type: 'image/x',
      length: 5,
      stub: true,
      digest: 'md5-XUFAKrxLKna5cZ2REBfFkg==',
      revpos: 1,
    });
    const body = { ...doc, v: 1, _attachments: { 'some/file.txt': { stub: true } } };
    const { json: kept } = await callCouch('PUT', `${db}/a`, { body });
    expect((await callCouch('GET', `${db}/a/some/file.txt`)).text).toBe('hello');
    const gone = await callCouch('DELETE', `${db}/a/some/file.txt?rev=${kept.rev}`);
    expect(gone.status).toBe(200);
    expect((await callCouch('GET', `${db}/a/some/file.txt`)).json).toEqual({
      error: 'not_found',
      reason: 'Document is missing attachment',
    });
  });

  it('come and go with their document as base64', async () => {
    const db = await newDatabase();
    const data = Buffer.from('hello').toString('base64');
    await put(db, 'a', { _attachments: { x: { content_type: 'image/x', data } } });
    const headers = { accept: 'application/json' };
    const whole = await callCouch('GET', `${db}/a?attachments=true`, { headers });
    expect(whole.json._attachments.x).toMatchObject({ content_type: 'image/x', data });
  });

  it('are not changed without the revision', async () => {
    const db = await newDatabase();
    await put(db, 'a');
    const headers = { 'content-type': 'image/x' };
    const answer = await callCouch('PUT', `${db}/a/x`, { raw: 'x', headers });
    expect(answer.status).toBe(409);
  });

  it('that are stubs of nothing are refused', async () => {
    const db = await newDatabase();
    const body = { _attachments: { x: { stub: true, content_type: 'a/b', length: 1 } } };
    const answer = await callCouch('PUT', `${db}/a`, { body });
    expect(answer.status).toBe(412);
    expect(answer.json.error).toBe('missing_stub');
  });

  it('follow their document in a multipart body', async () => {
    const db = await newDatabase();
    const doc = {
      _attachments: {
        a: { follows: true, content_type: 'image/x', length: 5 },
        b: { follows: true, content_type: 'image/x', length: 2 },
      },
    };
    const head = `--cut\r\ncontent-type: application/json\r\n\r\n${JSON.stringify(doc)}`;
    const tail = ['hello', 'yo'].map((data) => `\r\n--cut\r\n\r\n${data}`).join('');
    const answer = await callCouch('PUT', `${db}/x`, {
      raw: `${head}${tail}\r\n--cut--`,
      headers: { 'content-type': 'multipart/related; boundary="cut"' },
    });
    expect(answer.status).toBe(201);
    expect((await callCouch('GET', `${db}/x/a`)).text).toBe('hello');
    expect((await callCouch('GET', `${db}/x/b`)).text).toBe('yo');
  });
});
