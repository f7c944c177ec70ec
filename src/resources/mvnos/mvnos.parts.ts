import type { SecretBox } from '../../core/secret-box.js';
import type { Couch } from '../../couch/types.js';
import { createMvnoService } from './mvnos.service.js';
import { createMvnoStore } from './mvnos.store.js';

export interface MvnoPartsDeps {
  readonly couch: Couch;
  readonly box: SecretBox;
  readonly now: () => number;
  /** Ids of the clusters that belong to an MVNO. */
  readonly listClusters: (mvnoId: string) => Promise<readonly string[]>;
}

/** Everything about MVNOs. */
export function createMvnoParts(deps: MvnoPartsDeps) {
  return { service: createMvnoService({ ...deps, store: createMvnoStore(deps) }) };
}
