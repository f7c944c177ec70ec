import { AppError } from '../../src/core/errors.js';
import { ACCOUNT, change, createByHand, idOf, OTHER } from './kept-by-hand.js';

const IDLE_MS = 600_000;

let hand: ReturnType<typeof createByHand>;

beforeEach(() => {
  hand = createByHand();
});
afterEach(() => hand.kept.stop());

describe('an index that is kept', () => {
  it('is filled once changes are followed, and answers from then on', async () => {
    expect(hand.look('10.0.0.1')).toBe('asked elsewhere');
    expect(hand.fills).toEqual([]);
    expect(await hand.follow()).toBe('now');
    const fill = await hand.nextFill();
    expect(hand.look('10.0.0.1')).toBe('asked elsewhere');
    expect(hand.kept.size()).toBe(0);
    fill.answer([idOf('10.0.0.0/8'), idOf('10.0.0.0/24', false)]);
    await hand.settle();
    expect(hand.look('10.0.0.1')).toBe('/24 black');
    expect(hand.look('10.1.0.1')).toBe('/8 white');
    expect(hand.kept.size()).toBe(1);
    expect(await hand.poll([], '7')).toBe('1');
    expect(await hand.poll([], '7')).toBe('7');
  });

  it('hears of what others write and delete, in its own account only', async () => {
    await hand.begin([idOf('10.0.0.0/8')]);
    const id = idOf('10.0.0.1');
    await hand.poll([change(id, 1), change(idOf('11.0.0.1', true, OTHER), 1)], '3');
    expect([hand.look('10.0.0.1'), hand.look('11.0.0.1')]).toEqual(['/32 white', 'nothing']);
    await hand.poll([change(id, 2, true), change('_design/x', 9), change('rubbish', 1)], '6');
    expect(hand.look('10.0.0.1')).toBe('/8 white');
  });

  it('takes changes during its fill, whichever of them the fill has seen', async () => {
    expect(hand.look('10.0.0.1')).toBe('asked elsewhere');
    await hand.follow();
    const fill = await hand.nextFill();
    await hand.poll([change(idOf('10.0.0.1'), 1), change(idOf('10.0.0.2'), 2, true)], '3');
    await hand.poll([change(idOf('10.0.0.3'), 1)], '4');
    hand.note(idOf('10.0.0.4'), 1, true);
    hand.note(idOf('10.0.0.5'), 2, false);
    fill.answer([2, 3, 5].map((n) => idOf(`10.0.0.${n}`)));
    await hand.settle();
    const found = [1, 2, 3, 4, 5].map((n) => hand.look(`10.0.0.${n}`));
    expect(found).toEqual(['/32 white', 'nothing', '/32 white', '/32 white', 'nothing']);
  });

  it('shows its own writes at once', async () => {
    await hand.begin([]);
    hand.note(idOf('10.0.0.1'), 1, true);
    expect(hand.look('10.0.0.1')).toBe('/32 white');
    hand.note(idOf('10.0.0.1'), 2, false);
    expect(hand.look('10.0.0.1')).toBe('nothing');
  });

  it('does not undo an own write by a poll that was answered before it', async () => {
    await hand.begin([]);
    const id = idOf('10.0.0.1');
    const poll = await hand.nextPoll();
    hand.note(id, 1, true);
    hand.note(id, 2, false);
    poll.answer([change(id, 1)], '2');
    await hand.settle();
    expect(hand.look('10.0.0.1')).toBe('nothing');
    hand.note(id, 3, true);
    await hand.poll([change(id, 2, true)], '3');
    expect(hand.look('10.0.0.1')).toBe('/32 white');
    await hand.poll([change(id, 3)], '4');
    await hand.poll([change(id, 4, true)], '5');
    expect(hand.look('10.0.0.1')).toBe('nothing');
  });

  it('does not undo what others did after an own write whose answer came late', async () => {
    await hand.begin([]);
    const id = idOf('10.0.0.1');
    // Ours was the first revision; before its answer arrives, another process deletes the document.
    await hand.poll([change(id, 2, true)], '3');
    hand.note(id, 1, true);
    expect(hand.look('10.0.0.1')).toBe('nothing');
    hand.note(id, 3, true);
    expect(hand.look('10.0.0.1')).toBe('/32 white');
  });

  it('is made anew when it is told, late, what is older than its own write', async () => {
    await hand.begin([]);
    const id = idOf('10.0.0.1');
    hand.note(id, 1, true);
    hand.note(id, 2, false);
    await hand.poll([change(id, 1)], '2');
    expect(hand.look('10.0.0.1')).toBe('nothing');
    // What another cluster has added: a replication makes it win over our tombstone.
    hand.pass(1);
    await hand.poll([], '2');
    await hand.poll([change(id, 1)], '3');
    expect(hand.look('10.0.0.1')).toBe('asked elsewhere');
    (await hand.nextFill()).answer([id]);
    await hand.settle();
    expect(hand.look('10.0.0.1')).toBe('/32 white');
  });

  it('goes on from where it was after a failure, and answers nothing meanwhile', async () => {
    await hand.begin([idOf('10.0.0.1')]);
    const { fail } = await hand.nextPoll();
    fail(new AppError('unavailable', 'away'));
    await hand.settle();
    expect(hand.failures).toHaveLength(1);
    expect(hand.look('10.0.0.1')).toBe('asked elsewhere');
    hand.note(idOf('10.0.0.9'), 1, true);
    hand.pass(2_000);
    expect(hand.look('10.0.0.1')).toBe('asked elsewhere');
    const poll = await hand.nextPoll();
    expect(poll.since).toBe('1');
    poll.answer([change(idOf('10.0.0.1'), 2, true), change(idOf('10.0.0.2'), 1)], '5');
    await hand.settle();
    const found = [1, 2, 9].map((n) => hand.look(`10.0.0.${n}`));
    expect([found, hand.fills]).toEqual([['nothing', '/32 white', '/32 white'], []]);
  });

  it('is made anew when its database is gone', async () => {
    await hand.begin([idOf('10.0.0.1')]);
    (await hand.nextPoll()).fail(new AppError('not_found', 'no such database'));
    await hand.settle();
    hand.pass(2_000);
    expect(hand.look('10.0.0.1')).toBe('asked elsewhere');
    expect(await hand.follow()).toBe('now');
    (await hand.nextFill()).answer([]);
    await hand.settle();
    expect(hand.look('10.0.0.1')).toBe('nothing');
  });

  it('is filled again after a fill that failed', async () => {
    hand.look('10.0.0.1');
    await hand.follow();
    (await hand.nextFill()).fail(new Error('away'));
    await hand.settle();
    expect(hand.failures).toEqual([new Error('away')]);
    expect(hand.look('10.0.0.1')).toBe('asked elsewhere');
    (await hand.nextFill()).answer([idOf('10.0.0.1')]);
    await hand.settle();
    expect(hand.look('10.0.0.1')).toBe('/32 white');
  });

  it('is not asked when the last poll is too long ago', async () => {
    await hand.begin([idOf('10.0.0.1')]);
    hand.pass(899);
    expect(hand.look('10.0.0.1')).toBe('/32 white');
    hand.pass(1);
    expect(hand.look('10.0.0.1')).toBe('asked elsewhere');
    // Answered now, but asked long ago: what was written since may be missing.
    const late = await hand.nextPoll();
    hand.pass(900);
    late.answer([], '1');
    await hand.settle();
    expect(hand.look('10.0.0.1')).toBe('asked elsewhere');
    await hand.poll([], '1');
    expect(hand.look('10.0.0.1')).toBe('/32 white');
  });

  it('is dropped when nobody asks, and filled for who comes back', async () => {
    await hand.begin([idOf('10.0.0.1')]);
    hand.look('11.0.0.1', OTHER);
    (await hand.nextFill()).answer([]);
    await hand.settle();
    expect(hand.kept.size()).toBe(2);
    hand.pass(IDLE_MS / 2);
    hand.look('11.0.0.1', OTHER);
    hand.pass(IDLE_MS / 2 + 1);
    hand.sweep();
    expect(hand.kept.size()).toBe(1);
    hand.look('10.0.0.1');
    await hand.poll([], '1');
    await hand.poll([], '1');
    const fill = await hand.nextFill();
    expect(fill.accountId).toBe(ACCOUNT);
    fill.answer([]);
    await hand.settle();
    expect([hand.kept.size(), hand.look('10.0.0.1')]).toEqual([2, 'nothing']);
  });
});
