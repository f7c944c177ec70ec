import type { Request, Response } from 'express';
import { AppError } from '../../core/errors.js';
import type { Operation } from '../../core/operation.js';
import type { GuardLogin } from '../http/limits.js';
import { type CrossbarDeps, refuse, renderReply, sendAnswer, stateOf } from './exchange.js';
import { setCorsHeaders } from './headers.js';
import type { Answer, KeyedRequest, KeyedRun, KeyedState } from './idempotency.js';
import type { Reply, Route, StreamReply } from './route.js';

/** Tells an answer that was given before from one that was made just now. */
const REPLAY_HEADER = 'idempotent-replay';
/** Seconds until asking again makes sense while the first request is under way. */
const RUNNING_RETRY_S = 1;

/** Whether an answer says that asking again may end otherwise. */
function invitesRepeat(answer: Answer): boolean {
  return answer.status >= 500 || answer.status === 429 || 'retry-after' in answer.headers;
}

function outcomeOf(answer: Answer, run: KeyedRun, route: Route): Parameters<KeyedRun['finish']>[0] {
  if (invitesRepeat(answer)) return 'again';
  // Nothing was done for somebody who may not, and who may do what can change. Whoever cannot sign
  // in leaves nothing behind: anybody can try.
  // A precondition is no part of what the key stands for, so the next one is looked at anew.
  const isNobody = [401, 403, 412].includes(answer.status) || route.isLogin;
  if (isNobody && answer.status >= 400) return run.isRepeat ? 'again' : 'forget';
  return { answer };
}

function refusalOf(found: Exclude<KeyedState, { state: 'begun' | 'answered' }>): AppError {
  switch (found.state) {
    case 'running':
      return new AppError('conflict', 'a request with this Idempotency-Key is under way', {
        reason: 'idempotency_key_in_use',
        retryAfterS: RUNNING_RETRY_S,
      });
    case 'reused':
      return new AppError(
        'unprocessable',
        'this Idempotency-Key was used for a request with another body or query',
        { reason: 'idempotency_key_reused' },
      );
    case 'unkept':
      return new AppError(
        'conflict',
        `the request was done with status ${found.status}; its answer was too large to be kept`,
        { reason: 'idempotency_answer_not_kept', details: { first_status: found.status } },
      );
  }
}

/** What a keyed request is answered from. */
export interface KeyedWork {
  readonly route: Route;
  readonly request: KeyedRequest;
  readonly operation: Operation;
  readonly guardLogin: GuardLogin;
  run(operation: Operation): Promise<Reply<unknown> | StreamReply>;
}

function replay(response: Response, answer: Answer): void {
  if (answer.status >= 400) setCorsHeaders(response, stateOf(response).allowed);
  response.setHeader(REPLAY_HEADER, 'true');
  sendAnswer(response, answer);
}

/**
 * Answers a keyed request: by the first answer where there is one, else by running the operation.
 * The answer is kept before it is sent, so that nobody who has seen it can get another one.
 */
export async function answerOnce(
  deps: CrossbarDeps,
  request: Request,
  response: Response,
  work: KeyedWork,
): Promise<void> {
  const begun: { run?: KeyedRun } = {};
  const attempt = async (): Promise<Answer> => {
    const found = await deps.idempotency.begin(work.request);
    if (found.state === 'answered') return found.answer;
    if (found.state !== 'begun') throw refusalOf(found);
    begun.run = found.run;
    const { operationId: requestId, isRepeat } = found.run;
    const reply = await work.run({ ...work.operation, requestId, isRepeatable: true, isRepeat });
    // Only listings are streamed, and nothing that writes is one.
    if ('stream' in reply) throw new AppError('internal', 'a write answers with a stream');
    return renderReply(deps, request, response, work.route, reply);
  };
  let answer: Answer;
  try {
    answer = await (work.route.isLogin ? work.guardLogin(request, attempt) : attempt());
  } catch (error) {
    if (begun.run === undefined) throw error;
    answer = refuse(deps, request, response, error);
  }
  if (begun.run === undefined) return replay(response, answer);
  await begun.run.finish(outcomeOf(answer, begun.run, work.route));
  sendAnswer(response, answer);
}
