import { Writable } from 'node:stream';

/** Lines that wait are written at once when they are this many characters together. */
const MAX_WAITING = 64 * 1024;

/**
 * A stream for a log over `target`: the lines of one turn of the event loop go out in one write,
 * because each write to a pipe or a file waits for the system. When the process ends, what waits
 * is written first.
 */
export function createLogStream(target: { write(text: string): unknown }): Writable {
  let waiting = '';
  let isScheduled = false;

  function flush(): void {
    isScheduled = false;
    if (waiting === '') return;
    const text = waiting;
    waiting = '';
    target.write(text);
  }

  process.on('exit', flush);
  return new Writable({
    decodeStrings: false,
    write(line: string, _encoding, done) {
      waiting += line;
      if (waiting.length >= MAX_WAITING) flush();
      else if (!isScheduled) {
        isScheduled = true;
        setImmediate(flush);
      }
      done();
    },
  });
}
