import { AppError } from '../core/errors.js';
import type { Copier } from '../couch/copier.js';
import { databaseName, databases } from '../couch/databases.js';
import type { DatabaseName } from '../couch/types.js';
import { VERSION } from '../version.js';
import {
  type BackedUp,
  createBackupFolder,
  fileOf,
  findFault,
  type Manifest,
  readBackupFile,
  readManifest,
  writeBackupFile,
  writeManifest,
} from './backup-folder.js';
import type { Call, Command, Module, Outcome } from './command.js';
import { EXIT } from './exit-codes.js';
import type { Session } from './session.js';

const NO_INSTALL = { install: false };

async function openCopier(call: Call): Promise<{ session: Session; copier: Copier }> {
  const session = await call.open(NO_INSTALL);
  // Loaded here: what copies databases brings much along that no other command needs.
  const { createCopier } = await import('../couch/copier.js');
  return { session, copier: createCopier(session.store) };
}

/** Leases, cursors and unfinished work are of this moment and this installation alone. */
async function listToCopy({ couch }: Session): Promise<readonly DatabaseName[]> {
  return (await couch.listDatabases('')).filter((name) => name !== databases.ops);
}

async function backUpOne(
  folder: string,
  name: DatabaseName,
  copier: Copier,
  onCopied: (total: number) => void,
): Promise<BackedUp | undefined> {
  const facts = await copier.describe(name);
  if (facts === undefined) return undefined;
  const write = (attachments: boolean) =>
    writeBackupFile(folder, fileOf(name), (target) =>
      copier.copyOut(name, { target, attachments, onCopied }),
    );
  // No document of ours has attachments, and couchbackup calls its support of them experimental.
  const plain = await write(false);
  const attachments = plain.hasAttachments;
  const { hasAttachments: _, ...written } = attachments ? await write(true) : plain;
  return { name, ...written, attachments, security: facts.security };
}

async function backUp(call: Call): Promise<Outcome> {
  const [folder = ''] = call.args;
  await createBackupFolder(folder);
  const { session, copier } = await openCopier(call);
  const names = await listToCopy(session);
  const done: BackedUp[] = [];
  for (const [n, name] of names.entries()) {
    call.signal.throwIfAborted();
    const at = `(${n + 1}/${names.length}) ${name}`;
    const entry = await backUpOne(folder, name, copier, (total) =>
      call.terminal.progress(`${at}: ${total} revisions`),
    );
    // A database that was deleted meanwhile is no part of any backup.
    if (entry === undefined) continue;
    done.push(entry);
    call.terminal.print(`${at}: ${entry.revisions} revisions, ${entry.bytes} bytes`);
  }
  await writeManifest(folder, {
    created: new Date().toISOString(),
    version: VERSION,
    databases: done,
  });
  call.terminal.say('the keyring is not part of a backup: keep KEYRING or its file with it');
  const revisions = done.reduce((sum, entry) => sum + entry.revisions, 0);
  return { data: { folder, databases: done.length, revisions } };
}

/** Every fault of a backup's files, by database. */
async function findFaults(
  folder: string,
  { databases: entries }: Manifest,
  call: Call,
): Promise<Record<string, string>> {
  const faults: Record<string, string> = {};
  for (const [n, entry] of entries.entries()) {
    call.signal.throwIfAborted();
    call.terminal.progress(`checking (${n + 1}/${entries.length}) ${entry.name}`);
    const fault = await findFault(folder, entry);
    if (fault !== undefined) faults[entry.name] = fault;
  }
  return faults;
}

async function verify(call: Call): Promise<Outcome> {
  const [folder = ''] = call.args;
  const manifest = await readManifest(folder);
  const faults = await findFaults(folder, manifest, call);
  for (const { name, revisions } of manifest.databases) {
    call.terminal.print(`${name}: ${faults[name] ?? `${revisions} revisions, right`}`);
  }
  const data = { folder, created: manifest.created, databases: manifest.databases.length, faults };
  return { data, exit: Object.keys(faults).length === 0 ? EXIT.ok : EXIT.failed };
}

/** The databases of the manifest that have documents already. */
async function listOccupied(manifest: Manifest, copier: Copier): Promise<string[]> {
  const occupied: string[] = [];
  for (const { name } of manifest.databases) {
    const facts = await copier.describe(databaseName(name));
    if (facts !== undefined && facts.documents > 0) occupied.push(name);
  }
  return occupied;
}

async function restoreOne(
  folder: string,
  entry: BackedUp,
  { session, copier }: { session: Session; copier: Copier },
  onCopied: (total: number) => void,
): Promise<void> {
  const name = databaseName(entry.name);
  // A database that has had documents still knows their revisions, so only a new one will do.
  await session.couch.destroyDatabase(name);
  await session.couch.createDatabase(name);
  await copier.protect(name, entry.security);
  const restored = await copier.copyIn(name, {
    source: readBackupFile(folder, entry),
    attachments: entry.attachments,
    onCopied,
  });
  if (restored === entry.revisions) return;
  throw new AppError(
    'internal',
    `${name}: ${restored} of ${entry.revisions} revisions were restored; restore it again`,
  );
}

async function restore(call: Call): Promise<Outcome> {
  const [folder = ''] = call.args;
  const manifest = await readManifest(folder);
  const faults = Object.entries(await findFaults(folder, manifest, call));
  if (faults.length > 0) {
    const told = faults.map(([name, fault]) => `${name}: ${fault}`).join('; ');
    throw new AppError('conflict', `nothing was restored, the backup is damaged: ${told}`);
  }
  const parts = await openCopier(call);
  const occupied = call.options.force ? [] : await listOccupied(manifest, parts.copier);
  if (occupied.length > 0) {
    throw new AppError(
      'conflict',
      `nothing was restored, there are documents in ${occupied.join(', ')}; ` +
        '--force deletes these databases first',
    );
  }
  // Answers that were kept for repeated requests would tell of what is no longer there.
  await parts.session.couch.destroyDatabase(databases.ops);
  for (const [n, entry] of manifest.databases.entries()) {
    call.signal.throwIfAborted();
    const at = `(${n + 1}/${manifest.databases.length}) ${entry.name}`;
    await restoreOne(folder, entry, parts, (total) =>
      call.terminal.progress(`${at}: ${total} of ${entry.revisions} revisions`),
    );
    call.terminal.print(`${at}: ${entry.revisions} revisions`);
  }
  const revisions = manifest.databases.reduce((sum, entry) => sum + entry.revisions, 0);
  return { data: { folder, databases: manifest.databases.length, revisions } };
}

const commands: readonly Command[] = [
  {
    name: 'backup',
    parameters: ['<folder>'],
    summary: 'copies every database of this installation into a new folder',
    details: [
      'Conflicts, design documents, attachments and _security are in it; deleted documents, the',
      "keyring, CouchDB's own databases and ops-top (leases, unfinished work) are not. Each",
      'database is copied as it is at its turn: after a restore run sup kapps_maintenance refresh.',
    ],
    run: backUp,
  },
  {
    name: 'restore',
    parameters: ['<folder>'],
    options: ['force'],
    summary: 'brings the databases of a backup into the store',
    details: [
      'The backup is verified first, and databases that have documents are refused. Stop the',
      'services before, and run sup kapps_maintenance refresh after it.',
    ],
    run: restore,
  },
  {
    name: 'verify',
    parameters: ['<folder>'],
    summary: 'checks the files of a backup against its manifest; needs no store',
    run: verify,
  },
];

/** Backups of either store. */
export const backupMaintenance: Module = {
  name: 'backup_maintenance',
  summary: 'backs the databases up and restores them',
  commands,
};
