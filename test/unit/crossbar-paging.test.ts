import {
  MAX_PAGE_SIZE,
  pageQuery,
  presentPage,
  readPageQuery,
} from '../../src/surfaces/crossbar/paging.js';

const read = (query: Record<string, string>) => readPageQuery(pageQuery.parse(query));

describe('a page', () => {
  it.each([
    ['1', 1],
    [String(MAX_PAGE_SIZE), MAX_PAGE_SIZE],
    [String(MAX_PAGE_SIZE + 1), MAX_PAGE_SIZE],
    ['99999999', MAX_PAGE_SIZE],
    ['0', 50],
    ['-1', 50],
    ['1.5', 50],
    ['x', 50],
  ])('of page_size=%s has %i rows at most', (asked, size) => {
    expect(read({ page_size: asked }).size).toBe(size);
  });

  const next = { key: ['a'], id: 'b' };
  const nextKey = Buffer.from(JSON.stringify([['a'], 'b'])).toString('base64url');

  it('that was cut says where to go on, with paginate=false too', () => {
    const rows = ['row'];
    expect(presentPage(read({}), { rows, next })).toEqual({
      data: rows,
      members: { page_size: 1, next_start_key: nextKey },
    });
    const whole = read({ paginate: 'false' });
    expect(whole.size).toBe(MAX_PAGE_SIZE);
    expect(presentPage(whole, { rows, next })).toEqual({
      data: rows,
      members: { next_start_key: nextKey },
    });
    expect(presentPage(whole, { rows, next: undefined })).toEqual({ data: rows, members: {} });
  });
});
