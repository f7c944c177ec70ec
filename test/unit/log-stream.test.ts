import { setTimeout as sleep } from 'node:timers/promises';
import { createLogStream } from '../../src/log-stream.js';

const request = (n: number) => `{"time":"t","level":"info","message":"request","n":${n}}\n`;
const failure = '{"time":"t","level":"error","message":"request failed"}\n';

function createTarget() {
  const writes: string[] = [];
  return { writes, write: (text: string) => writes.push(text) };
}

describe('the stream of the log', () => {
  test('writes the lines of requests together, in their order', async () => {
    const target = createTarget();
    const stream = createLogStream(target);
    for (let n = 0; n < 10; n += 1) stream.write(request(n));
    expect(target.writes).toEqual([]);
    await sleep(200);
    expect(target.writes).toEqual([Array.from({ length: 10 }, (_, n) => request(n)).join('')]);
  });

  test('writes everything else at once, behind the lines that wait', () => {
    const target = createTarget();
    const stream = createLogStream(target);
    stream.write(request(1));
    stream.write(failure);
    expect(target.writes).toEqual([request(1) + failure]);
  });

  test('lets no more wait than it should hold', () => {
    const target = createTarget();
    const stream = createLogStream(target);
    const long = request(1).padEnd(40 * 1024, ' ');
    stream.write(long);
    stream.write(long);
    expect(target.writes).toEqual([long + long]);
  });
});
