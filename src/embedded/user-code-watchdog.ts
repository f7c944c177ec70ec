import process from 'node:process';

// A thread beside the functions: when the store was killed, it ends their process, which may be
// busy with something that nothing interrupts and would never notice by itself.

const CHECK_MS = 1000;

const parent = process.ppid;

setInterval(() => {
  if (process.ppid !== parent) process.kill(process.pid, 'SIGKILL');
}, CHECK_MS);
