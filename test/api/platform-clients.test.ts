import { connect } from 'node:net';
import { createApiDocument } from '../../src/api-document.js';
import { describeOthers } from '../../src/other-surfaces.js';
import { ADD, CHECK, clear, DEL, expectPlain, GET, ONE } from '../support/platform.js';
import { callRaw, type RawAnswer, type RawCall } from '../support/raw-call.js';
import { startTestService, type TestService } from '../support/service.js';

const BASE = '/platform_api';
const NET = '203.0.113.0/24';
const add = { ...ONE, authorized_ip: NET };

let service: TestService;

beforeAll(async () => {
  service = await startTestService();
});
afterAll(() => service.stop());
beforeEach(() => clear(service, ONE));

const send = (method: string, path: string, call: RawCall = {}): Promise<RawAnswer> =>
  callRaw(service.url, method, path, call);
const query = (fields: Record<string, string>) => String(new URLSearchParams(fields));

describe('clients that do not behave', () => {
  const port = () => Number(new URL(service.url).port);

  it('may hang up in the middle of a body, and nobody is blamed for it', async () => {
    const before = service.logLines.length;
    await new Promise<void>((resolve) => {
      const socket = connect(port(), '127.0.0.1', () => {
        socket.write(
          `POST ${BASE}/${ADD}?${query(add)} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n` +
            'Content-Type: application/x-www-form-urlencoded\r\n\r\nallowed=fal',
        );
        setTimeout(() => socket.destroy(), 50);
      });
      socket.on('close', () => resolve());
      socket.on('error', () => undefined);
    });
    expectPlain(await send('GET', `${BASE}/${CHECK}?${query(add)}`), { result: false });
    const levels = service.logLines.slice(before).map((line) => JSON.parse(line).level);
    expect(levels).not.toContain('error');
  });

  it('get an answer to each of the requests that they send at once', async () => {
    const request = `GET ${BASE}/${CHECK}?${query(add)} HTTP/1.1\r\nHost: x\r\n`;
    const text = await new Promise<string>((resolve, reject) => {
      const socket = connect(port(), '127.0.0.1');
      let received = '';
      socket.on('data', (chunk) => {
        received += String(chunk);
      });
      socket.on('error', reject);
      socket.on('close', () => resolve(received));
      socket.write(`${request}\r\n${request}\r\n${request}Connection: close\r\n\r\n`);
    });
    expect(text.match(/HTTP\/1\.1 200 OK/g)).toHaveLength(3);
    expect(text.match(/\{"result":false\}/g)).toHaveLength(3);
  });
});

describe('the API document', () => {
  it('describes every command and every answer', async () => {
    const names = ['Logon', ADD, CHECK, DEL, GET];
    const document = createApiDocument([], describeOthers(service.services), 'test') as {
      paths: Record<string, Record<string, unknown>>;
    };
    const paths = Object.entries(document.paths).filter(([path]) => path.startsWith(BASE));
    expect(paths.map(([path, operations]) => [path, Object.keys(operations).sort()])).toEqual(
      names.map((name) => [`${BASE}/${name}`, ['get', 'post']]),
    );
    // `call` judges each answer by the document.
    const bad = { ...ONE, authorized_ip: 'x' };
    for (const name of names) {
      for (const fields of [ONE, add, bad, { ...ONE, api_key: 'wrong' }, {}]) {
        const path = `${BASE}/${name}?${query(fields as Record<string, string>)}`;
        for (const method of ['GET', 'POST']) {
          expect((await service.call(method, path)).status).toBe(200);
        }
      }
    }
    await service.services.platform.accounts.setAllowedType('1', 'boolean');
    await service.call('GET', `${BASE}/${ADD}?${query(add)}`);
    const { body } = await service.call('GET', `${BASE}/${GET}?${query(ONE)}`);
    expect(body.result).toEqual([
      { allowed: true, created: expect.any(String), authorized_ip: NET },
    ]);
    await service.services.platform.accounts.setAllowedType('1', 'string');
  });
});
