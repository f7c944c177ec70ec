import { generateKeyring, type SecretBox } from '../core/secret-box.js';
import { createKeyRotation, type KeySurvey } from '../couch/key-rotation.js';
import { withLease } from '../couch/leases.js';
import type { Call, Command, Module, Outcome } from './command.js';
import { EXIT } from './exit-codes.js';
import { formatTable } from './table.js';

const LEASE = 'keys-rotation';
/** A run that was killed is given up after this time. */
const LEASE_MS = 10_000;
const WAIT_MS = 15_000;
const HEADINGS = ['Key', 'In keyring', 'Sealed values', 'Digests', 'Is'];

/** Everything that could be walked was, and all of it opens. */
function isSound({ strange, left, isWhole }: KeySurvey): boolean {
  return isWhole && strange === 0 && left.length === 0;
}

function stateOf(box: SecretBox, kid: string, use: { sealed: number; digests: number }): string {
  if (kid === box.primaryKid) return 'first: it seals';
  return use.sealed + use.digests === 0 ? 'not needed' : 'needed';
}

function listKeys(box: SecretBox, survey: KeySurvey) {
  const others = [...survey.keys.keys()].filter((kid) => !box.kids.includes(kid)).sort();
  return [...box.kids, ...others].map((kid) => {
    const use = survey.keys.get(kid) ?? { sealed: 0, digests: 0 };
    return { kid, inKeyring: box.kids.includes(kid), ...use, is: stateOf(box, kid, use) };
  });
}

function say(call: Call, box: SecretBox, survey: KeySurvey): void {
  const { terminal } = call;
  const keys = listKeys(box, survey);
  const rows = keys.map((key) => {
    return [key.kid, key.inKeyring ? 'yes' : 'no', key.sealed, key.digests, key.is];
  });
  for (const line of formatTable(HEADINGS, rows)) terminal.print(line);
  for (const place of survey.strangeAt) terminal.say(`does not open: ${place}`);
  for (const place of survey.left) terminal.say(`changes too often to be written: ${place}`);
  if (keys.some(({ kid, digests }) => kid !== box.primaryKid && digests > 0)) {
    terminal.say('digests of API keys and passwords are made anew when those are set again;');
    terminal.say('those of requests with an Idempotency-Key expire within a day');
  }
  const spare = keys.filter(({ inKeyring, is }) => inKeyring && is === 'not needed');
  if (isSound(survey) && spare.length > 0) {
    terminal.say(`no longer needed in the keyring: ${spare.map(({ kid }) => kid).join(', ')}`);
  }
}

function dataOf(box: SecretBox, survey: KeySurvey) {
  return {
    first: box.primaryKid,
    databases: survey.databases,
    documents: survey.documents,
    resealed: survey.resealed,
    rewritten: survey.rewritten,
    keys: Object.fromEntries(
      listKeys(box, survey).map(({ kid, inKeyring, sealed, digests }) => [
        kid,
        { in_keyring: inKeyring, sealed, digests },
      ]),
    ),
    strange: survey.strange,
    strange_at: survey.strangeAt,
    left: survey.left,
    is_whole: survey.isWhole,
  };
}

function outcomeOf(box: SecretBox, survey: KeySurvey): Outcome {
  const data = dataOf(box, survey);
  return isSound(survey) ? { data } : { data, exit: EXIT.failed };
}

async function status(call: Call): Promise<Outcome> {
  const { couch, services } = await call.open();
  const { box } = services.secrets;
  const onProgress = (text: string) => call.terminal.progress(text);
  const walk = createKeyRotation({ couch, box });
  const survey = await walk({ rotate: false, signal: call.signal, onProgress });
  say(call, box, survey);
  return outcomeOf(box, survey);
}

async function rotate(call: Call): Promise<Outcome> {
  const { couch, services } = await call.open();
  const { box } = services.secrets;
  const walk = createKeyRotation({ couch, box });
  const onProgress = (text: string) => call.terminal.progress(text);
  const lease = {
    ttlMs: LEASE_MS,
    holder: String(process.pid),
    waitMs: WAIT_MS,
    signal: call.signal,
  };
  const result = await withLease(couch, LEASE, lease, (signal) =>
    walk({ rotate: true, signal, onProgress }),
  );
  if (!result.ran) {
    call.terminal.say('another run is rotating the keys');
    return { data: { error: 'already_running' }, exit: EXIT.failed };
  }
  const survey = result.value;
  const { resealed, rewritten, documents } = survey;
  const where = `in ${rewritten} of ${documents} documents`;
  call.terminal.print(`sealed ${resealed} values anew ${where} with ${box.primaryKid}`);
  if (!survey.isWhole) call.terminal.say('stopped before the end; the next run goes on');
  say(call, box, survey);
  return outcomeOf(box, survey);
}

function newKey(call: Call): Promise<Outcome> {
  const key = generateKeyring();
  call.terminal.print(key);
  call.terminal.say('put it first in the keyring, a comma behind it, of all servers; then rotate');
  return Promise.resolve({ data: { key } });
}

const commands: readonly Command[] = [
  {
    name: 'status',
    parameters: [],
    summary: 'Count what is sealed and digested with which key',
    details: ['A key may be taken out of the keyring when nothing needs it.'],
    run: status,
  },
  {
    name: 'rotate',
    parameters: [],
    summary: 'Seal everything anew that is not sealed with the first key',
    details: [
      'Start all servers with the new key first in their keyrings before, or they go on sealing',
      'with the old one. May be interrupted at any time; the next run does the rest.',
      'Digests cannot be made anew: their keys have to stay in the keyring.',
    ],
    run: rotate,
  },
  { name: 'new_key', parameters: [], summary: 'Print a new key for the keyring', run: newKey },
];

/** The keys that seal secrets in the store. */
export const keysMaintenance: Module = {
  name: 'keys_maintenance',
  summary: 'The keys that seal secrets in the store',
  commands,
};
