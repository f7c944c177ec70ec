import { setTimeout as sleep } from 'node:timers/promises';
import { AppError, hasCode } from '../../src/core/errors.js';
import { createClaims } from '../../src/couch/claims.js';
import { createCouch } from '../../src/couch/client.js';
import { databases } from '../../src/couch/databases.js';
import type { Couch, SavedDoc } from '../../src/couch/types.js';
import { uniquePrefix } from '../support/store.js';
import { ask, clusterTests, isOnCluster, nodes } from './nodes.js';

const ROUNDS = 25;
const WRITERS = 6;

/**
 * In a healthy cluster two writers at two nodes can each be the first at one of them. CouchDB tells
 * one 201 and the other 202, and keeps both revisions.
 */
(isOnCluster ? describe : describe.skip)(
  clusterTests('writers of one document at different nodes'),
  () => {
    const dbPrefix = uniquePrefix();
    const stored = `${dbPrefix}${databases.claims}`;
    let couches: readonly Couch[];

    beforeAll(async () => {
      couches = nodes.map(({ url }) => createCouch({ url, dbPrefix, timeoutMs: 10_000 }));
      await of(0).createDatabase(databases.claims);
    });
    afterAll(async () => {
      await of(0).destroyDatabase(databases.claims);
      await Promise.all(couches.map((couch) => couch.close()));
    });

    const of = (n: number): Couch => couches[n % couches.length] as Couch;
    const at = (n: number) => of(n).database(databases.claims);

    /** What every node says of a document, with what it hides; once they all say the same. */
    async function agreed(id: string): Promise<{ _rev?: string; _conflicts?: string[] }> {
      for (let tries = 0; ; tries += 1) {
        const path = `/${stored}/${encodeURIComponent(id)}?conflicts=true`;
        const answers = await Promise.all(nodes.map(({ url }) => ask(url, path)));
        const texts = new Set(answers.map((answer) => JSON.stringify(answer)));
        if (texts.size === 1) return answers[0];
        if (tries > 40) throw new Error(`the nodes never agreed: ${[...texts].join('\n')}`);
        await sleep(100);
      }
    }

    /** Nobody's saved revision, or the one that is told to be saved. */
    function winnerOf(results: readonly PromiseSettledResult<SavedDoc>[]): string | undefined {
      const saved = results.flatMap((each) =>
        each.status === 'fulfilled' ? [each.value._rev] : [],
      );
      expect(saved.length).toBeLessThanOrEqual(1);
      for (const each of results) {
        if (each.status === 'rejected' && !hasCode(each.reason, 'conflict')) {
          expect(each.reason).toMatchObject({ reason: 'store_write_unknown' });
        }
      }
      return saved[0];
    }

    test.each(['put', 'putMany'] as const)(
      'have one winner by %s, and nothing stays hidden behind it',
      async (how) => {
        let wins = 0;
        for (let round = 0; round < ROUNDS; round += 1) {
          const id = `${how}-${round}`;
          const base = await at(round).put({ _id: id, by: -1 });
          const write = async (n: number): Promise<SavedDoc> => {
            const doc = { ...base, by: n, pvt_request_id: `${id}-${n}` };
            if (how === 'put') return at(n).put(doc);
            const [result] = await at(n).putMany([doc]);
            if (result?.ok) return result.doc;
            throw new AppError('conflict', 'another write was first');
          };
          const results = await Promise.allSettled(
            Array.from({ length: WRITERS }, (_, n) => write(n)),
          );
          const winner = winnerOf(results);
          const now = await agreed(id);
          expect(now._conflicts).toBeUndefined();
          if (winner === undefined) continue;
          wins += 1;
          expect(now._rev).toBe(winner);
        }
        // Where all were unlucky nobody is told to have won; that has to stay the exception.
        expect(wins).toBeGreaterThan(ROUNDS / 2);
      },
      120_000,
    );

    test('who create it have one winner', async () => {
      for (let round = 0; round < ROUNDS; round += 1) {
        const id = `create-${round}`;
        const results = await Promise.allSettled(
          Array.from({ length: WRITERS }, (_, n) => at(n).put({ _id: id, by: n })),
        );
        const winner = winnerOf(results);
        const now = await agreed(id);
        expect(now._conflicts).toBeUndefined();
        if (winner !== undefined) expect(now._rev).toBe(winner);
      }
    }, 120_000);

    test('of a claim have one owner, whom every node names', async () => {
      for (let round = 0; round < ROUNDS; round += 1) {
        const value = `1555123${String(round).padStart(4, '0')}`;
        const results = await Promise.allSettled(
          Array.from({ length: WRITERS }, (_, n) =>
            createClaims({ couch: of(n), now: Date.now }).acquire(
              'mdn',
              value,
              { id: `owner-${n}`, database: 'sip_auth' },
              async () => true,
            ),
          ),
        );
        const owners = results.flatMap((each) =>
          each.status === 'fulfilled' ? [each.value.owner.id] : [],
        );
        expect(owners.length).toBeLessThanOrEqual(1);
        const now = (await agreed(`mdn:${value}`)) as { pvt_owner?: string; _conflicts?: string[] };
        expect(now._conflicts).toBeUndefined();
        if (owners[0] !== undefined) expect(now.pvt_owner).toBe(owners[0]);
      }
    }, 120_000);
  },
);
