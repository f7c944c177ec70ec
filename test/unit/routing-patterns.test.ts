import fc from 'fast-check';
import {
  expandTemplate,
  findTemplateFault,
  formatNumber,
  readPattern,
} from '../../src/resources/routing/routing.patterns.js';

const format = (pattern: string, replace: string, number: string) =>
  formatNumber({ pattern, replace }, number);
const faultOf = (pattern: string): string | undefined => {
  const read = readPattern(pattern);
  return read.ok ? undefined : read.fault;
};

describe("the page's patterns", () => {
  test.each([
    ['/^(?:467)?([0-9]+)$/', '$1', '46714155550000', '14155550000'],
    ['/^(?:467)?([0-9]+)$/', '$1', '14155550000', '14155550000'],
    ['/^(?:467)?([0-9]+)$/', '$1', '467', '467'],
    ['/^(?:467)?([0-9]+)$/', '$1', '+46714155550000', '14155550000'],
    ['/^([0-9]+)$/', '99999$1', '+14155550000', '9999914155550000'],
  ])('%s with %s makes of %s %s', (pattern, replace, number, wanted) => {
    expect(format(pattern, replace, number)).toEqual({ number: wanted, isMatched: true });
  });
});

describe('what FreeSWITCH does and JavaScript does not', () => {
  test.each([
    ['the result is the template, without what stands around the match', '467([0-9]+)', '$1'],
    ['the same between slashes', '/467([0-9]+)/', '$1'],
  ])('%s', (_, pattern, replace) => {
    expect(format(pattern, replace, '+46714155')).toEqual({ number: '14155', isMatched: true });
  });

  test('all digits behind a dollar are the number of a group', () => {
    expect(format('/^([0-9]+)$/', '$10', '14155')).toEqual({ number: '', isMatched: true });
    expect(format('/^(1)(2)(3)(4)(5)(6)(7)(8)(9)(0)$/', '$10$1', '1234567890').number).toBe('01');
    expect(format('/^([0-9]+)$/', '$01', '14155').number).toBe('14155');
  });

  test('a group that took no part is empty, and group 0 is the whole match', () => {
    expect(format('/^(?:(1)|(2))([0-9]*)$/', 'a$1b$2c$3d$0', '255').number).toBe('ab2c55d255');
  });

  test('no other sign is special in a template', () => {
    expect(format('/^([0-9]+)$/', '$$-$&-$`-$a-$', '1').number).toBe('$$-$&-$`-$a-$');
    expect(format('/^([0-9]+)$/', '$$1', '7').number).toBe('$7');
  });

  test('a number that does not match stays as it is, with its plus', () => {
    expect(format('/^467([0-9]+)$/', '$1', '+14155')).toEqual({
      number: '+14155',
      isMatched: false,
    });
  });

  test('the flags i and s count, and a slash in the middle is part of the expression', () => {
    expect(format('/^A([0-9]*)$/i', '$1', 'a1').number).toBe('1');
    expect(format('/^A([0-9]*)$/', '$1', 'a1').isMatched).toBe(false);
    expect(format('/^.$/s', 'x', '\n').isMatched).toBe(true);
    expect(format('/^.x$/si', 'y', '\nX').number).toBe('y');
    expect(format('/^a/b$/', 'x', 'a/b').number).toBe('x');
  });

  test('a pattern that cannot be read never matches, and says why', () => {
    expect(format('/^(a$/', '$1', '1')).toEqual({
      number: '1',
      isMatched: false,
      fault: expect.stringContaining('missing closing )'),
    });
  });
});

/** FreeSWITCH's loop over a template, written as it describes it: one sign after the other. */
function substitute(template: string, groups: readonly string[]): string {
  let result = '';
  for (let at = 0; at < template.length; ) {
    const sign = template.charAt(at);
    at += 1;
    let digits = '';
    while (sign === '$' && /^[0-9]$/.test(template.charAt(at))) {
      digits += template.charAt(at);
      at += 1;
    }
    if (digits === '') result += sign;
    else if (Number(digits) < groups.length) result += groups[Number(digits)];
  }
  return result;
}

test('templates expand as the loop of FreeSWITCH does, whatever is in them', () => {
  const part = fc.oneof(
    fc.constantFrom('$', '$$', '$&', '{', '}', '+', '-', 'a'),
    fc.integer({ min: 0, max: 120 }).map((n) => `$${n}`),
    fc.integer({ min: 0, max: 99 }).map(String),
    fc.string({ maxLength: 4 }),
  );
  const template = fc.array(part, { maxLength: 12 }).map((parts) => parts.join(''));
  const groups = fc.array(fc.string({ maxLength: 6 }), { minLength: 1, maxLength: 12 });
  fc.assert(
    fc.property(template, groups, (text, given) => {
      expect(expandTemplate(text, given)).toBe(substitute(text, given));
    }),
  );
});

test('a number is the template or itself, and a template without groups does not see it', () => {
  const number = fc.tuple(fc.constantFrom('', '+'), fc.stringMatching(/^[0-9]{1,20}$/));
  fc.assert(
    fc.property(number, fc.stringMatching(/^[0-9]{0,8}$/), ([plus, digits], template) => {
      const whole = `${plus}${digits}`;
      expect(format('/^([0-9]+)$/', `${template}$1`, whole).number).toBe(template + digits);
      expect(format('/^([0-9]{21})$/', template, whole).number).toBe(whole);
    }),
  );
});

test('every text is a pattern or has a fault, and never throws', () => {
  const texts = fc.oneof(
    fc.string({ maxLength: 40 }),
    fc
      .array(fc.constantFrom(...'/\\[](){}?*+|^$.,-is019:d'), { maxLength: 24 })
      .map((a) => a.join('')),
  );
  fc.assert(
    fc.property(texts, fc.stringMatching(/^[0-9]{1,12}$/), (text, number) => {
      const read = readPattern(text);
      const formatted = format(text, '$0', number);
      if (read.ok) expect(number).toContain(formatted.number);
      else expect(formatted).toEqual({ number, isMatched: false, fault: read.fault });
    }),
    { numRuns: 500 },
  );
});

describe('a pattern that would hold up everybody while it is compiled', () => {
  test.each([
    `/^${'[a-z]{1000}'.repeat(20)}$/i`,
    `/^${'\\w{1000}'.repeat(30)}$/`,
    `/^${'(((a?){10}){10}){10}'.repeat(10)}/`,
    `/^${'(){1000}'.repeat(20)}/`,
    `/^${'\\x41{0,1000}'.repeat(2)}$/`,
    '/^(?:[0-9]{20}){51}$/',
    '/^[)(]{501,}[0-9]{500}$/',
  ])('%.40s is refused before that', (pattern) => {
    expect(faultOf(pattern)).toBe(
      'its repetitions are too many: written out more than 1000 characters',
    );
  });

  test.each(['/^[0-9]{1,500}$/', '/^(?:[0-9]{3}-){2}[0-9]{4}$/', '/^1{0}2{1,}[{]{3}\\{5$/'])(
    '%s is none',
    (pattern) => expect(faultOf(pattern)).toBeUndefined(),
  );
});

describe('patterns that are refused', () => {
  test.each([
    ['/^1$', 'the closing slash is missing: /…/flags'],
    ['/', 'the closing slash is missing: /…/flags'],
    ['^1$/', 'a pattern with a slash must begin with one: /…/flags'],
    ['/^1$/x', 'the flags behind the closing slash may be i and s'],
    ['/^1$/ii', 'the flags behind the closing slash may be i and s'],
    ['/^1$/ ', 'the flags behind the closing slash may be i and s'],
    ['//', 'the pattern is empty'],
    ['', 'the pattern is empty'],
    ['_1NXX', 'patterns in the notation of Asterisk are not supported'],
    ['/é/', 'only printable ASCII characters are allowed'],
    ['/\n/', 'only printable ASCII characters are allowed'],
    [`/${'1'.repeat(255)}/`, 'longer than 256 characters'],
    ['/(?=1)/', 'groups are (…) and (?:…); flags stand behind the closing slash'],
    ['/(?<!1)2/', 'groups are (…) and (?:…); flags stand behind the closing slash'],
    ['/(?i)a/', 'groups are (…) and (?:…); flags stand behind the closing slash'],
    ['/(?P<a>1)/', 'groups are (…) and (?:…); flags stand behind the closing slash'],
    ['/(?<a>1)/', 'groups are (…) and (?:…); flags stand behind the closing slash'],
    ['/(?>1)/', 'groups are (…) and (?:…); flags stand behind the closing slash'],
    ['/(1)\\1/', '\\1 does not mean the same to every engine'],
    ['/\\Qa\\E/', '\\Q does not mean the same to every engine'],
    ['/\\pN/', '\\p does not mean the same to every engine'],
    ['/[\\h]/', '\\h does not mean the same to every engine'],
    ['/[[:digit:]]/', 'a [ in a class must be written \\[; there are no [:classes:]'],
    ['/[]a]/', 'a ] at the beginning of a class must be written \\]'],
    ['/[^]a]/', 'a ] at the beginning of a class must be written \\]'],
    ['/1{,3}/', 'a { that is no {n}, {n,} or {n,m} must be written \\{'],
    ['/{/', 'a { that is no {n}, {n,} or {n,m} must be written \\{'],
    ['/1\\/', '\\ does not mean the same to every engine'],
  ])('%s', (pattern, fault) => {
    expect(faultOf(pattern)).toBe(fault);
  });

  test.each([
    '/(/',
    '/)/',
    '/*/',
    '/a**/',
    '/[a/',
    '/[z-a]/',
    '/1{1001}/',
    '/1{2,1}/',
    '/(*UTF)1/',
  ])('%s, which RE2 does not read', (pattern) => {
    expect(faultOf(pattern)).toMatch(/^no regular expression: |^a | does not mean/);
  });
});

test.each([
  '/^\\+?1?[2-9][0-9]{2}[2-9][0-9]{6}$/',
  '/^[^0-9\\]\\-]+\\x41\\/\\{\\}$/i',
  '^(?:(?:00|011)([0-9]{7,15})|1([0-9]{10}))$',
  '/^[+*#]?$/s',
  `/${'1'.repeat(254)}/`,
])('%s is a pattern', (pattern) => {
  expect(faultOf(pattern)).toBeUndefined();
});

describe('templates', () => {
  test.each([
    ['$2', 1, '$2 is no group of the pattern, which has 1'],
    ['a$1b$3', 2, '$3 is no group of the pattern, which has 2'],
    ['$10', 1, '$10 is no group of the pattern, which has 1'],
    ['$\u007b1}', 1, 'a group is $1, without braces'],
    ['$0000000001', 1, '$0000000001 is no group: the number is too long'],
    ['é', 0, 'only printable ASCII characters are allowed'],
    ['$1', 0, '$1 is no group of the pattern, which has 0'],
  ])('%s with %i groups is refused', (replace, groups, fault) => {
    expect(findTemplateFault(replace, groups)).toBe(fault);
  });

  test.each([
    ['99999$1', 1],
    ['$0', 0],
    ['', 0],
    ['$$5$', 5],
    ['$7', undefined],
  ])('%s with %p groups is allowed', (replace, groups) => {
    expect(findTemplateFault(replace, groups)).toBeUndefined();
  });
});
