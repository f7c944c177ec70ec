// Prints the test files that failed, by jest's report, for another run of these alone. Ends with 1
// when there is no such report, when no file failed in it, or when so many did that no busy machine
// can be the reason.
import { readFileSync } from 'node:fs';
import { relative } from 'node:path';

const MOST = 8;

function failedFiles(path) {
  const { testResults } = JSON.parse(readFileSync(path, 'utf8'));
  return testResults
    .filter(({ status }) => status === 'failed')
    .map(({ name }) => relative(process.cwd(), name));
}

try {
  const files = failedFiles(process.argv[2]);
  if (files.length === 0) throw new Error('the tests failed, and none of their files');
  if (files.length > MOST) throw new Error(`${files.length} test files failed`);
  process.stdout.write(`${files.join(' ')}\n`);
} catch (error) {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
