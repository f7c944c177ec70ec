import { superMaster } from '../../surfaces/crossbar/access.js';
import { pageMembers, presentPage, readPageQuery } from '../../surfaces/crossbar/paging.js';
import { type Route, route } from '../../surfaces/crossbar/route.js';
import { presentMvno } from './mvnos.present.js';
import { mvnoAnswer, mvnoParams, mvnoQuery, mvnosAnswer } from './mvnos.schema.js';
import type { MvnoService } from './mvnos.service.js';

const tag = 'Support: MVNOs';

/** Operations that show MVNOs; they are made by `sup mvnos_maintenance`. */
export function mvnoRoutes(mvnos: MvnoService): Route[] {
  return [
    route({
      method: 'GET',
      path: '/support/mvnos',
      operationId: 'listMvnos',
      tag,
      summary: 'List the MVNOs',
      allow: superMaster,
      query: mvnoQuery,
      answer: mvnosAnswer,
      answerMembers: pageMembers,
      run: async ({ query }) => {
        const request = readPageQuery(query);
        const page = await mvnos.listPage(request);
        return presentPage(request, { rows: page.rows.map(presentMvno), next: page.next });
      },
    }),
    route({
      method: 'GET',
      path: '/support/mvnos/{mvno_id}',
      operationId: 'getMvno',
      tag,
      summary: 'An MVNO and its carriers; keys are shown sealed',
      allow: superMaster,
      params: mvnoParams,
      answer: mvnoAnswer,
      run: async ({ params }) => {
        const mvno = await mvnos.get(params.mvno_id);
        return { data: presentMvno(mvno), revision: mvno.revision };
      },
    }),
  ];
}
