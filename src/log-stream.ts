import { Writable } from 'node:stream';

/** Lines that wait are written at once when they are this many characters together. */
const MAX_WAITING = 64 * 1024;
/** How long the lines of requests wait for company, milliseconds. */
const WAIT_MS = 20;
/** Everything else is written at once: it may be the last that a process has to say. */
const CAN_WAIT = '"level":"info","message":"request"';

/**
 * A stream for a log over `target`: lines of requests go out together, because each write to a pipe
 * or a file waits for the system. When the process ends, what waits is written first; one that is
 * killed loses the requests of its last moment.
 */
export function createLogStream(target: { write(text: string): unknown }): Writable {
  let waiting = '';
  let timer: NodeJS.Timeout | undefined;

  function flush(): void {
    clearTimeout(timer);
    timer = undefined;
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
      if (waiting.length >= MAX_WAITING || !line.includes(CAN_WAIT)) flush();
      else timer ??= setTimeout(flush, WAIT_MS).unref();
      done();
    },
  });
}
