// Removes the named build folder, so that a deleted source leaves nothing behind in it.
import { rmSync } from 'node:fs';

for (const folder of process.argv.slice(2)) rmSync(folder, { recursive: true, force: true });
