import type { DatabaseEvent, Databases } from './databases.js';
import { badRequest } from './errors.js';
import { AnswerStream, type Exchange, queryOf } from './exchange.js';
import type { Route } from './router.js';

const DEFAULT_TIMEOUT_MS = 60_000;
const FEEDS = ['normal', 'continuous', 'longpoll'];

interface NumberedEvent extends DatabaseEvent {
  readonly seq: number;
}

/**
 * What happened to databases since the process started, the last event of each. CouchDB keeps this
 * in a database of its own; here a client that comes back after a restart lists the databases.
 */
export function databaseUpdateRoutes(databases: Databases, incarnation: string): readonly Route[] {
  const latest = new Map<string, NumberedEvent>();
  let seq = 0;
  databases.events.on('change', (event) => {
    seq += 1;
    latest.delete(event.name);
    latest.set(event.name, { ...event, seq });
  });
  const format = (number: number): string => `${number}-${incarnation}`;
  const parse = (text: string | undefined): number => {
    if (text === 'now') return seq;
    const [, number = '0', of] = /^(\d+)(?:-(.+))?$/.exec(text ?? '0') ?? [];
    return of === undefined || of === incarnation ? Number(number) : 0;
  };
  const after = (since: number): readonly NumberedEvent[] =>
    [...latest.values()].filter((event) => event.seq > since);
  const present = ({ name, type, seq: at }: NumberedEvent): string =>
    JSON.stringify({ db_name: name, type, seq: format(at) });

  const send = async (x: Exchange): Promise<void> => {
    const p = queryOf(x);
    const feed = p.text('feed') ?? 'normal';
    if (!FEEDS.includes(feed)) throw badRequest(`Supported \`feed\` types: ${FEEDS.join(', ')}`);
    const timeoutMs = p.count('timeout') ?? DEFAULT_TIMEOUT_MS;
    const signal = AbortSignal.any([x.signal, x.stopping]);
    let since = parse(p.text('since'));
    const stream = new AnswerStream(x);
    x.res.flushHeaders();
    if (feed === 'continuous') {
      do {
        for (const event of after(since)) {
          await stream.write(`${present(event)}\n`);
          since = event.seq;
        }
        await stream.flush();
      } while (await waitForEvent(databases, since < seq, timeoutMs, signal));
      return stream.end(`${JSON.stringify({ last_seq: format(since) })}\n`);
    }
    if (feed === 'longpoll' && after(since).length === 0) {
      await waitForEvent(databases, false, timeoutMs, signal);
    }
    await stream.write('{"results":[\n');
    await stream.writeItems(after(since).map(present));
    return stream.end(`\n],\n"last_seq":${JSON.stringify(format(seq))}}\n`);
  };
  return [{ path: '/_db_updates', methods: { GET: send } }];
}

/** True at the next event (or at once when there is one already), false when time is up. */
function waitForEvent(
  databases: Databases,
  isThere: boolean,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<boolean> {
  if (isThere || signal.aborted) return Promise.resolve(isThere && !signal.aborted);
  return new Promise((resolve) => {
    const finish = (isNew: boolean): void => {
      clearTimeout(timer);
      databases.events.off('change', onChange);
      signal.removeEventListener('abort', onAbort);
      resolve(isNew);
    };
    const onChange = (): void => finish(true);
    const onAbort = (): void => finish(false);
    const timer = setTimeout(() => finish(false), timeoutMs);
    databases.events.on('change', onChange);
    signal.addEventListener('abort', onAbort);
  });
}
