import { AppError, InvalidError } from '../../core/errors.js';
import type { Page, PageRequest } from '../../core/paging.js';
import type { SecretBox } from '../../core/secret-box.js';
import { carrierKeyField, type Mvno } from './mvnos.doc.js';
import type { MvnoStore } from './mvnos.store.js';

export interface MvnoServiceDeps {
  readonly store: MvnoStore;
  readonly box: SecretBox;
  /** Ids of the clusters that belong to an MVNO. */
  readonly listClusters: (mvnoId: string) => Promise<readonly string[]>;
}

/** A carrier as it is set; its key in clear. */
export interface CarrierFields {
  readonly driver: string;
  readonly url: string | undefined;
  readonly timeoutMs: number | undefined;
  /** Undefined: the key that is stored stays, if there is one. */
  readonly key: string | undefined;
}

const MVNO_ID = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/;
const CLUSTER_ID = /^[0-9a-f]{32}$/;
const WORD = /^[a-z][a-z0-9_-]{0,31}$/;
const NAME_MAX = 256;

function invalid(field: string, message: string): InvalidError {
  return new InvalidError([{ path: [field], rule: 'invalid', message }]);
}

function checkUrl(url: string): void {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed === undefined || !/^https?:$/.test(parsed.protocol)) {
    throw invalid('url', 'must be an http or https URL');
  }
  if (url.includes('@')) throw invalid('url', 'must not have a user or a password');
  // No driver takes them: they would stand in the middle of what it asks.
  if (/[?#]/.test(url)) throw invalid('url', 'must not have a query or a fragment');
}

export type MvnoService = ReturnType<typeof createMvnoService>;

/** The MVNOs and their carriers (top-support.md B2, B7); changed by maintenance commands. */
export function createMvnoService({ store, box, listClusters }: MvnoServiceDeps) {
  async function get(id: string): Promise<Mvno> {
    const mvno = await store.find(id);
    if (mvno === undefined) throw new AppError('not_found', 'no such MVNO', { subject: id });
    return mvno;
  }

  async function getWith(id: string, carrier: string): Promise<Mvno> {
    const mvno = await get(id);
    if (mvno.carriers.has(carrier)) return mvno;
    throw new AppError('not_found', 'the MVNO has no such carrier', { subject: carrier });
  }

  return {
    get,
    find: store.find,
    list: store.list,
    listPage: (request: PageRequest): Promise<Page<Mvno>> => store.listPage(request),

    /** Adds an MVNO; its cluster may come later, because that names its MVNO. */
    async create(id: string, name: string, clusterId: string | undefined): Promise<Mvno> {
      if (!MVNO_ID.test(id)) throw invalid('id', 'must be letters, digits, _ . or -');
      if (name === '' || name.length > NAME_MAX) {
        throw invalid('name', `must have 1 to ${NAME_MAX} characters`);
      }
      if (clusterId !== undefined && !CLUSTER_ID.test(clusterId)) {
        throw invalid('cluster_id', 'must be 32 lower-case hex');
      }
      return store.create({ id, name, clusterId });
    },

    /** Sets how a carrier is reached; the driver reads its own settings when it is used. */
    async setCarrier(id: string, name: string, fields: CarrierFields): Promise<Mvno> {
      if (!WORD.test(name)) throw invalid('carrier', 'must be lower-case letters, digits, _ or -');
      if (!WORD.test(fields.driver)) throw invalid('driver', 'is not the name of a driver');
      if (fields.url !== undefined) checkUrl(fields.url);
      const mvno = await get(id);
      const field = carrierKeyField(name);
      const sealedKey =
        fields.key === undefined
          ? mvno.carriers.get(name)?.sealedKey
          : box.seal(fields.key, id, field);
      const settings = {
        ...(fields.url === undefined ? {} : { url: fields.url }),
        ...(fields.timeoutMs === undefined ? {} : { timeout_ms: fields.timeoutMs }),
      };
      return store.setCarrier(mvno, name, { driver: fields.driver, settings, sealedKey });
    },

    /** Says which carrier is asked where a request names none of several. */
    async setDefaultCarrier(id: string, name: string): Promise<Mvno> {
      return store.setDefaultCarrier(await getWith(id, name), name);
    },

    /** Removes a carrier and its key; `not_found` when the MVNO has none of that name. */
    async removeCarrier(id: string, name: string): Promise<Mvno> {
      return store.setCarrier(await getWith(id, name), name, undefined);
    },

    /** Deletes an MVNO; `conflict` while clusters belong to it. */
    async remove(id: string): Promise<Mvno> {
      const mvno = await get(id);
      const clusters = await listClusters(id);
      if (clusters.length > 0) {
        throw new AppError('conflict', `clusters belong to the MVNO: ${clusters.join(', ')}`, {
          reason: 'mvno_in_use',
          subject: id,
          details: { clusters },
        });
      }
      await store.remove(mvno);
      return mvno;
    },
  };
}
