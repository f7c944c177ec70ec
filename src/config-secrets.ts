import { readFileSync, statSync } from 'node:fs';

/** Variables that hold secrets; each can come from the file that `<NAME>_FILE` names instead. */
export const SECRET_NAMES = [
  'COUCHDB_URL',
  'EMBEDDED_COUCHDB_PASSWORD',
  'KEYRING',
  'METRICS_TOKEN',
] as const;

const SECRET_FILE_BYTES_MAX = 64 * 1024;

/**
 * The environment with `<NAME>_FILE` replaced by `<NAME>` and the file's text, white space around
 * it removed because editors end files with a line feed. What cannot be read is added to `faults`,
 * without any part of the contents.
 */
export function readSecretFiles(
  env: Readonly<Record<string, string>>,
  faults: string[],
): Record<string, string> {
  const read: Record<string, string> = { ...env };
  for (const name of SECRET_NAMES) {
    const fileName = `${name}_FILE`;
    const path = env[fileName];
    delete read[fileName];
    if (path === undefined) continue;
    if (env[name] !== undefined) {
      faults.push(`${name}: is given twice, as ${name} and as ${fileName}`);
      continue;
    }
    const contents = readSecret(path);
    if ('fault' in contents) faults.push(`${fileName}: ${contents.fault}`);
    else read[name] = contents.text;
  }
  return read;
}

function readSecret(path: string): { text: string } | { fault: string } {
  try {
    if (statSync(path).size > SECRET_FILE_BYTES_MAX) return { fault: `${path} is over 64 KiB` };
    const text = readFileSync(path, 'utf8').trim();
    return text === '' ? { fault: `${path} is empty` } : { text };
  } catch (error) {
    return { fault: `${path} cannot be read (${(error as NodeJS.ErrnoException).code})` };
  }
}
