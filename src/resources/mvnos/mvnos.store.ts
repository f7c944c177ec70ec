import type { Page, PageRequest } from '../../core/paging.js';
import { databases } from '../../couch/databases.js';
import { putNew } from '../../couch/put-new.js';
import type { Couch } from '../../couch/types.js';
import {
  fromDoc,
  type Mvno,
  type MvnoCarrier,
  newDoc,
  withCarrier,
  withDefaultCarrier,
} from './mvnos.doc.js';

/** MVNOs, at most: each is an operator of its own. */
const MAX_MVNOS = 10_000;
const MVNO_ID = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/;

export type MvnoStore = ReturnType<typeof createMvnoStore>;

/** MVNOs in `mvnos-top`, by their ids. */
export function createMvnoStore(deps: { couch: Couch; now: () => number }) {
  const db = deps.couch.database(databases.mvnos);

  async function list(): Promise<readonly Mvno[]> {
    const docs = await db.listDocs({ limit: MAX_MVNOS });
    return docs.flatMap((doc) => fromDoc(doc) ?? []);
  }

  return {
    async find(id: string): Promise<Mvno | undefined> {
      const doc = MVNO_ID.test(id) ? await db.find(id) : undefined;
      return doc === undefined ? undefined : fromDoc(doc);
    },

    /** All of them, by id. */
    list,

    /** A page of them, by id; there are few, so a page is cut from all of them. */
    async listPage({ size, descending, start }: PageRequest): Promise<Page<Mvno>> {
      const all = [...(await list())];
      if (descending) all.reverse();
      const from =
        start === undefined ? 0 : all.findIndex(({ id }) => isAt(id, start.id, descending));
      const rows = from < 0 ? [] : all.slice(from, from + size);
      const next = from < 0 ? undefined : all[from + size];
      return { rows, next: next === undefined ? undefined : { key: next.id, id: next.id } };
    },

    /** Adds an MVNO; `conflict` when there is one of that id. */
    async create(fields: { id: string; name: string; clusterId: string | undefined }) {
      return fromDoc(await putNew(db, newDoc(fields, deps.now()))) as Mvno;
    },

    /** Sets or, with undefined, removes a carrier; `conflict` when the MVNO changed since. */
    async setCarrier(mvno: Mvno, name: string, carrier: MvnoCarrier | undefined): Promise<Mvno> {
      return fromDoc(await db.put(withCarrier(mvno, name, carrier, deps.now()))) as Mvno;
    },

    /** Says which carrier is asked where none is named; `conflict` as above. */
    async setDefaultCarrier(mvno: Mvno, name: string): Promise<Mvno> {
      return fromDoc(await db.put(withDefaultCarrier(mvno, name, deps.now()))) as Mvno;
    },

    /** Deletes it; `conflict` when it changed since it was read. */
    remove: (mvno: Mvno): Promise<void> => db.remove(mvno.stored),
  };
}

function isAt(id: string, start: string, descending: boolean): boolean {
  return descending ? id <= start : id >= start;
}
