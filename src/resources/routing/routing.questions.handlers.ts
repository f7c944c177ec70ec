import { superMaster } from '../../surfaces/crossbar/access.js';
import { type Route, route } from '../../surfaces/crossbar/route.js';
import {
  type Question,
  type ResolveAnswer,
  readQuestion,
  reportAnswer,
  resolveAnswer,
  resolveQuery,
} from './routing.questions.schema.js';
import type { RoutingQuestions } from './routing.questions.service.js';

const tag = 'Support: routing';

type Of<K extends Question['kind']> = Extract<Question, { kind: K }>;

async function gatewaysOf(questions: RoutingQuestions, { clusterId, zone }: Of<'gateways'>) {
  const { cluster, isRandom, gateways } = await questions.listGateways(clusterId, zone);
  return {
    cluster_id: clusterId,
    name: cluster.name,
    zone,
    randomize_routing: isRandom,
    gateways: [...gateways],
  };
}

async function sbcsOf(questions: RoutingQuestions, { mediaServerId, carrier }: Of<'sbcs'>) {
  const found = await questions.listSbcs(mediaServerId, carrier);
  return {
    media_server_id: mediaServerId,
    name: found.media.name,
    ...(found.zone === undefined ? {} : { zone: found.zone }),
    carrier,
    ...(found.interfaceName === undefined ? {} : { interface: found.interfaceName }),
    order: found.isByPriority ? ('priority' as const) : ('zone' as const),
    sbcs: found.sbcs.map((sbc) => ({ ...sbc, ips: [...sbc.ips] })),
    unresolved: [...found.unresolved],
  };
}

async function numberOf(questions: RoutingQuestions, { sbcId, direction, number }: Of<'number'>) {
  const { sbc, rule, formatted } = await questions.format(sbcId, direction, number);
  return {
    sbc_id: sbcId,
    name: sbc.name,
    direction,
    to_number: number,
    formatted_number: formatted.number,
    matched: formatted.isMatched,
    ...rule,
    ...(formatted.fault === undefined ? {} : { fault: formatted.fault }),
  };
}

async function answer(questions: RoutingQuestions, question: Question): Promise<ResolveAnswer> {
  switch (question.kind) {
    case 'source':
      return { source_ip: question.ip, matches: [...(await questions.findPlaces(question.ip))] };
    case 'gateways':
      return gatewaysOf(questions, question);
    case 'sbcs':
      return sbcsOf(questions, question);
    case 'number':
      return numberOf(questions, question);
  }
}

/** The questions that the routing documents exist for, and what is wrong with them. */
export function routingQuestionRoutes(questions: RoutingQuestions): Route[] {
  return [
    route({
      method: 'GET',
      path: '/support/routing/resolve',
      operationId: 'resolveRouting',
      tag,
      summary: 'Ask what call routing does',
      description:
        'One of four questions. `source_ip`: who has this address, and as what. `cluster_id` and ' +
        '`zone`: the gateways of a customer cluster in the order they are tried. ' +
        '`media_server_id` and `carrier`: the SBCs in the order they are tried. `sbc_id`, ' +
        '`direction` and `to_number`: what the SBC makes of the number.',
      allow: superMaster,
      query: resolveQuery,
      answer: resolveAnswer,
      run: async ({ query }) => ({ data: await answer(questions, readQuestion(query)) }),
    }),
    route({
      method: 'GET',
      path: '/support/routing/report',
      operationId: 'reportRouting',
      tag,
      summary: 'List what does not fit together in the routing documents',
      description:
        'References to SBCs and media servers that do not exist, and addresses that stand in ' +
        'more than one place. Neither is refused when it is written.',
      allow: superMaster,
      answer: reportAnswer,
      run: async () => {
        const { dangling, shared, isCut } = await questions.report();
        return {
          data: {
            dangling_references: dangling.map(({ kind, id, name, field, target }) => ({
              type: kind,
              id,
              name,
              field,
              missing: { type: target.kind, id: target.id },
            })),
            shared_ips: shared.map(({ ip, places }) => ({ ip, places: [...places] })),
            truncated: isCut,
          },
        };
      },
    }),
  ];
}
