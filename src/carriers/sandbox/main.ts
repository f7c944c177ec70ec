#!/usr/bin/env node
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import type { SandboxMessage } from './messages.js';
import { type SandboxServer, startSandboxServer } from './server.js';

const PORT_DEFAULT = 8050;
/** As for every command: the arguments were wrong. */
const EXIT_USAGE = 2;

const HELP = `The sandbox carrier: a mobile carrier of one's own, to try the service with.

Usage: npm run carrier-sandbox -- [options]

  --port <n>           the port on 127.0.0.1; 0 is any free one (default ${PORT_DEFAULT})
  --data-dir <folder>  keep everything in <folder>/carrier-sandbox (default ./data)
  --api-key-file <f>   the key of clients; made when it is not there
                       (default <folder>/carrier-sandbox/api-key)
  --empty              begin without the demo lines, messages and usage
  -h, --help           this text

docs/carriers.md has the API, the control endpoint and the faults.
`;

/** One JSON line on stderr, as the service's own. */
function log(event: Readonly<Record<string, unknown>>): void {
  const { error, ...rest } = event;
  const text = error instanceof Error ? error.stack : error;
  process.stderr.write(`${JSON.stringify({ service: 'carrier-sandbox', ...rest, error: text })}\n`);
}

interface Arguments {
  readonly port: number;
  readonly dataDir: string;
  readonly keyFile: string | undefined;
  readonly isEmpty: boolean;
}

/** A text instead: the help that was asked for, or what is wrong. */
function readArguments(argv: readonly string[]): Arguments | { text: string; code: number } {
  try {
    const { values } = parseArgs({
      args: [...argv],
      options: {
        port: { type: 'string', default: String(PORT_DEFAULT) },
        'data-dir': { type: 'string', default: './data' },
        'api-key-file': { type: 'string' },
        empty: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    if (values.help) return { text: HELP, code: 0 };
    const port = /^\d{1,5}$/.test(values.port) ? Number(values.port) : Number.NaN;
    if (!(port <= 65_535)) return { text: '--port takes 0 to 65535\n', code: EXIT_USAGE };
    const keyFile = values['api-key-file'];
    return {
      port,
      dataDir: resolve(values['data-dir']),
      keyFile: keyFile === undefined ? undefined : resolve(keyFile),
      isEmpty: values.empty,
    };
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return { text: `${error.message}\n\n${HELP}`, code: EXIT_USAGE };
  }
}

function tell(message: SandboxMessage): void {
  process.send?.(message);
}

function describe({ url, keyFile, isPortAsWanted }: SandboxServer, wanted: number): string {
  const note = isPortAsWanted ? '' : `Port ${wanted} was taken by another program.\n`;
  return `${note}The sandbox carrier runs.

  API and page   ${url}/
  API key        in ${keyFile}

Try:
  curl -H "X-Api-Key: $(cat ${keyFile})" "${url}/v1/lines?mdn=%2B14157487153"
`;
}

let running: SandboxServer | undefined;
let isStopping = false;

async function stop(): Promise<void> {
  if (isStopping) return;
  isStopping = true;
  try {
    await running?.stop();
  } catch (error) {
    log({ level: 'error', message: 'stopping failed', error });
    process.exit(1);
  }
  process.exit(0);
}

async function start(argv: readonly string[]): Promise<void> {
  const read = readArguments(argv);
  if ('text' in read) {
    (read.code === 0 ? process.stdout : process.stderr).write(read.text);
    process.exitCode = read.code;
    return;
  }
  const { dataDir, port, keyFile, isEmpty } = read;
  try {
    running = await startSandboxServer({ dataDir, port, keyFile, hasDemoContent: !isEmpty, log });
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    if (process.send === undefined) process.stderr.write(`${message}\n`);
    tell({ type: 'failed', message });
    process.exitCode = 1;
    process.disconnect?.();
    return;
  }
  tell({ type: 'ready', url: running.url, isPortAsWanted: running.isPortAsWanted });
  if (process.send === undefined) process.stdout.write(describe(running, port));
}

// Ctrl-C reaches the whole group; a starter finishes its requests first and then stops us.
process.on('SIGINT', () => {
  if (process.send === undefined) void stop();
});
process.on('SIGTERM', () => void stop());
process.on('disconnect', () => void stop());
await start(process.argv.slice(2));
