import { createServer, get } from 'node:http';
import type { AddressInfo } from 'node:net';
import express, { type Response } from 'express';
import { AppError } from '../../src/core/errors.js';
import { hasLargeData, sendLarge, sendStream } from '../../src/surfaces/crossbar/stream.js';

interface Outcome {
  readonly status: number;
  readonly text: string;
  readonly type: string | undefined;
  /** False: the connection ended before the answer did. */
  readonly isWhole: boolean;
}

/** What a client gets of an answer that `send` makes. */
async function ask(send: (response: Response) => Promise<void>): Promise<Outcome> {
  const app = express();
  app.get('/', (_request, response) => send(response));
  app.use((_error: unknown, _request: unknown, response: Response, _next: express.NextFunction) => {
    response.status(500).end('told');
  });
  const server = createServer(app);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    return await new Promise<Outcome>((resolve, reject) => {
      const { port } = server.address() as AddressInfo;
      get({ port, host: '127.0.0.1', agent: false }, (answer) => {
        const chunks: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => chunks.push(chunk));
        answer.on('error', () => undefined);
        answer.on('close', () =>
          resolve({
            status: answer.statusCode ?? 0,
            text: Buffer.concat(chunks).toString(),
            type: answer.headers['content-type'],
            isWhole: answer.complete,
          }),
        );
      }).on('error', reject);
    });
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

async function* parts(count: number, failAt = count): AsyncGenerator<string> {
  for (let n = 0; n < count; n += 1) {
    if (n === failAt) throw new AppError('unavailable', 'the store is gone');
    yield `part ${n}\n`;
  }
}

describe('an answer that is made while it is sent', () => {
  const send = (stream: AsyncIterable<string>, told: unknown[]) =>
    ask((response) =>
      sendStream(response, { stream, fileName: 'x.csv' }, 'text/csv', (error, status) => {
        told.push([(error as Error).message, status]);
      }),
    );

  it('arrives whole', async () => {
    const told: unknown[] = [];
    const text = Array.from({ length: 500 }, (_, n) => `part ${n}\n`).join('');
    expect(await send(parts(500), told)).toEqual({
      status: 200,
      text,
      type: 'text/csv; charset=utf-8',
      isWhole: true,
    });
    expect((await send(parts(0), told)).text).toBe('');
    expect(told).toEqual([]);
  });

  it('is an ordinary error when it fails before its first part', async () => {
    const told: unknown[] = [];
    expect(await send(parts(3, 0), told)).toMatchObject({ status: 500, text: 'told' });
    expect(told).toEqual([]);
  });

  it('is cut off and told once when it fails later: nobody takes it for whole', async () => {
    const told: unknown[] = [];
    const outcome = await send(parts(300, 200), told);
    expect([outcome.status, outcome.isWhole]).toEqual([200, false]);
    expect(told).toEqual([['the store is gone', 503]]);
  });
});

describe('a large envelope', () => {
  const numbers = (count: number) => Array.from({ length: count }, (_, n) => n);
  const byName = (count: number) =>
    Object.fromEntries(numbers(count).map((n) => [`k"${n}`, { n, list: [n], none: undefined }]));

  it.each([
    { data: numbers(4001) },
    { data: byName(9000), none: undefined, last: null },
    { data: { success: byName(5000), error: {}, list: numbers(5000) }, revision: 'é"x', n: 1 },
  ])('has the text that it has in one piece', async (envelope) => {
    expect(hasLargeData(envelope)).toBe(true);
    const { text, isWhole } = await ask((response) =>
      sendLarge(response, envelope, () => undefined),
    );
    expect(isWhole).toBe(true);
    expect(text === JSON.stringify(envelope)).toBe(true);
  });

  it('is told from a small one by its data', () => {
    for (const envelope of [{}, { data: 1 }, { data: null }, { data: numbers(4000) }]) {
      expect(hasLargeData(envelope)).toBe(false);
    }
  });
});
