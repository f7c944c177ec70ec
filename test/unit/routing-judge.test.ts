import { hasCode } from '../../src/core/errors.js';
import {
  createPatternJudge,
  type PatternJudge,
} from '../../src/resources/routing/routing.judge.js';

const SLOW = '(?:x{1,30}){1,30}';
const NO_TIME = 'it could not be judged safe in time: write a simpler one';

describe('the judge of patterns', () => {
  let judge: PatternJudge;
  beforeAll(() => {
    judge = createPatternJudge();
  });
  afterAll(() => judge.stop());
  const judgeOf = (source: string, flags = '') => judge.judge({ source, flags });

  test.each([
    '^(?:467)?([0-9]+)$',
    '^([0-9]+)$',
    '^(?:\\+?1)?([2-9][0-9]{2}[2-9][0-9]{6})$',
    '\\d+',
    '1',
  ])('takes %s for safe', async (source) => {
    expect(await judgeOf(source)).toBeUndefined();
  });

  test.each([
    ['^(a+)+$', 'exponential'],
    ['^(a|aa)+$', 'exponential'],
    ['^(?:[0-9]|[0-9][0-9])*x$', 'exponential'],
    ['[0-9]*[0-9]*[0-9]*x', '4th degree polynomial'],
    ['[0-9]+$', '2nd degree polynomial'],
  ])('takes %s for %s', async (source, complexity) => {
    expect(await judgeOf(source)).toBe(
      'engines that backtrack may need very long for it: anchor it with ^, and let no two ' +
        `repetitions match the same characters (${complexity})`,
    );
  });

  test('looks at the flags', async () => {
    expect(await judgeOf('^(?:a|A)*b$')).toBeUndefined();
    expect(await judgeOf('^(?:a|A)*b$', 'i')).toContain('exponential');
  });

  test('does not take for safe what it cannot judge in its time', async () => {
    expect(await judgeOf(SLOW)).toBe(NO_TIME);
  });

  test('answers many at once, each for itself', async () => {
    const answers = await Promise.all([
      judgeOf('^[0-9]{3}$'),
      judgeOf('^(b+)+$'),
      judgeOf('^[0-9]{4}$'),
    ]);
    expect(answers).toEqual([undefined, expect.stringContaining('exponential'), undefined]);
  });
});

test('a judge that is silent is given up, and its pattern is not safe', async () => {
  const hasty = createPatternJudge({ giveUpMs: 1 });
  expect(await hasty.judge({ source: '^1$', flags: '' })).toBe(NO_TIME);
  hasty.stop();
  const patient = createPatternJudge({ giveUpMs: 30_000 });
  const first = patient.judge({ source: SLOW, flags: '' });
  patient.stop();
  const [lost, next] = await Promise.all([first, patient.judge({ source: '^1$', flags: '' })]);
  expect([lost, next]).toEqual([NO_TIME, undefined]);
  patient.stop();
});

test('too many at once are refused for now', async () => {
  const judge = createPatternJudge();
  const asked = Array.from({ length: 40 }, (_, n) =>
    judge.judge({ source: `^${n}$`, flags: '' }).then(
      (answer) => answer ?? 'safe',
      (error: unknown) => (hasCode(error, 'too_many') ? 'too many' : 'another error'),
    ),
  );
  const answers = await Promise.all(asked);
  expect(answers.filter((answer) => answer === 'safe')).toHaveLength(32);
  expect(answers.filter((answer) => answer === 'too many')).toHaveLength(8);
  judge.stop();
});
