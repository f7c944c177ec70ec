// Writes the API document that is committed, from the routes of the last build.
import { writeFileSync } from 'node:fs';
import { openApiText } from '../dist/openapi.js';

const path = new URL('../docs/openapi.json', import.meta.url);
writeFileSync(path, openApiText());
