import { FEW_ROWS, type SipAccountStore } from './sip-accounts.store.js';
import type { SipAccountTable } from './sip-accounts.table.js';

/** Reads the rows of accounts into the table, those of small accounts together. */
export async function readRows(
  store: SipAccountStore,
  table: SipAccountTable,
  counts: ReadonlyMap<string, number>,
): Promise<void> {
  let together: string[] = [];
  let size = 0;
  const readAll = async (accountId: string) => {
    for await (const batch of store.eachRow(accountId)) batch.forEach(table.take);
  };
  const readTogether = async () => {
    const some = together;
    together = [];
    size = 0;
    const found = some.length === 0 ? [] : await store.findRows(some);
    if (found === undefined) for (const id of some) await readAll(id);
    else found.forEach(table.take);
  };
  for (const [id, count] of counts) {
    if (count > FEW_ROWS / 2) {
      await readAll(id);
      continue;
    }
    if (size + count > FEW_ROWS / 2) await readTogether();
    together.push(id);
    size += count;
  }
  await readTogether();
}
