#!/usr/bin/env node
import { EXIT, type ExitCode } from './exit-codes.js';
import { runSup } from './run.js';

// A reader that left (`| head`) is no failure: the command goes on, and there is nobody to tell.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') endWith(EXIT.failed);
});

const ending = new AbortController();

function endWith(code: ExitCode): void {
  // Told twice: whatever is being closed is left as it is.
  if (ending.signal.aborted) process.exit(code);
  ending.abort(code);
}
process.on('SIGINT', () => endWith(EXIT.interrupted));
process.on('SIGTERM', () => endWith(EXIT.terminated));

process.exitCode = await runSup(process.argv.slice(2), {
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  ending,
});
// An answer nobody waits for any longer (a pipe that stays open, a cut call) must not hold us.
process.stdout.write('', () => process.exit());
