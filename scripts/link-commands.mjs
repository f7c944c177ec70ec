// Makes the commands of this package executable and links them into node_modules/.bin, which npm
// does for dependencies only: `npx sup` finds the command in a fresh clone, and after every build.
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';

const { bin } = JSON.parse(readFileSync('package.json', 'utf8'));
const folder = join('node_modules', '.bin');

for (const [name, target] of Object.entries(bin)) {
  chmodSync(target, 0o755);
  // Windows has no executable links; npm makes its own command files there.
  if (process.platform === 'win32' || !existsSync('node_modules')) continue;
  mkdirSync(folder, { recursive: true });
  const link = join(folder, name);
  rmSync(link, { force: true });
  symlinkSync(relative(resolve(folder), resolve(target)), link);
}
