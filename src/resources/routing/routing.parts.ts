import type { Couch } from '../../couch/types.js';
import { createPatternJudge } from './routing.judge.js';
import { createRoutingQuestions } from './routing.questions.service.js';
import { createQuestionStore } from './routing.questions.store.js';
import { createRoutingService } from './routing.service.js';
import { createRoutingStore } from './routing.store.js';

export interface RoutingPartsDeps {
  readonly couch: Couch;
  /** Unix milliseconds. */
  readonly now: () => number;
  /** The one carrier of a cluster's MVNO; undefined when it has several, none or no MVNO. */
  readonly findOnlyCarrier: (clusterId: string) => Promise<string | undefined>;
}

/** Everything about call routing. */
export function createRoutingParts(deps: RoutingPartsDeps) {
  const judge = createPatternJudge();
  const service = createRoutingService({
    store: createRoutingStore(deps),
    judge,
    findOnlyCarrier: deps.findOnlyCarrier,
  });
  const questions = createRoutingQuestions({
    store: createQuestionStore(deps),
    get: service.get,
  });
  return { service, questions, stop: judge.stop };
}
