import type { Server as HttpServer } from 'node:http';
import { Server } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** Connections without a request get this long to send one that is on its way. */
const IDLE_GRACE_MS = 1_000;
/** Requests get this long; the store's own end comes after, and all must be over within 10 s. */
const DRAIN_MS = 6_000;

/**
 * Ends an HTTP server without failing a request that it accepted: no new connections, running
 * requests finish, idle connections are closed after a moment. True when all finished in time.
 */
export async function drainServer(server: HttpServer): Promise<boolean> {
  const closed = new Promise<void>((resolve) => {
    // HTTP's own close() destroys idle connections at once, and a request may be arriving there.
    Server.prototype.close.call(server, () => resolve());
  });
  const idle = setTimeout(() => {
    server.closeIdleConnections();
    sweep = setInterval(() => server.closeIdleConnections(), IDLE_GRACE_MS / 10);
  }, IDLE_GRACE_MS);
  let sweep: NodeJS.Timeout | undefined;
  const isDone = await Promise.race([
    closed.then(() => true),
    sleep(DRAIN_MS, false, { ref: false }),
  ]);
  clearTimeout(idle);
  clearInterval(sweep);
  if (!isDone) server.closeAllConnections();
  return isDone;
}
