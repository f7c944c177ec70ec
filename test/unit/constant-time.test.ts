import { isSameSecret } from '../../src/core/constant-time.js';

describe('two secrets', () => {
  it('are the same when every character is', () => {
    expect(isSameSecret('a secret', 'a secret')).toBe(true);
    expect(isSameSecret('a secret', 'a Secret')).toBe(false);
    expect(isSameSecret('ü', 'u\u0308')).toBe(false);
  });

  it('may differ in length', () => {
    expect(isSameSecret('a', 'a longer one')).toBe(false);
    expect(isSameSecret('', 'a')).toBe(false);
  });

  it('are never the same when one is missing, not even when both are', () => {
    expect(isSameSecret(undefined, 'a')).toBe(false);
    expect(isSameSecret('a', undefined)).toBe(false);
    expect(isSameSecret(undefined, undefined)).toBe(false);
  });
});
