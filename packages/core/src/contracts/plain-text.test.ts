import { describe, expect, it } from 'vitest';
import { MetaapoError, plainText } from './index.js';

describe('a plain text', () => {
  it('shows control characters and marks of direction as their escapes, and keeps lines and letters', () => {
    expect(plainText('\u001b]0;x\u0007\u001b[2J\u009b31m red \u202e txt\r\nüñ 😀\tend')).toBe(
      '\\u001b]0;x\\u0007\\u001b[2J\\u009b31m red \\u202e txt\nüñ 😀\tend',
    );
    expect(plainText('a\rb\bc')).toBe('a\\u000db\\u0008c');
  });

  it('is cut at a number of characters, never inside of one', () => {
    expect(plainText('x'.repeat(2_000_000), 3)).toBe('xxx... (2000000 characters)');
    expect(plainText('ab😀c', 3)).toBe('ab... (5 characters)');
    expect(plainText('abc', 3)).toBe('abc');
  });
});

describe('a message', () => {
  it('has a length, is on one line and shows no control character, whatever is in it', () => {
    const wild = `\u001b[31m\n${'x'.repeat(2_000_000)}`;
    const error = new MetaapoError('config', wild, { where: wild, expected: wild, got: wild, remedy: wild });
    expect(error.message.length).toBeLessThan(4000);
    for (const character of ['\n', '\u001b']) expect(error.message).not.toContain(character);
    expect(error.fault.got).toMatch(/^\\u001b\[31m x{100,}\.\.\. \(2000006 characters\)$/);
  });

  it('is made in no time of a text that looks like the begins of many addresses', () => {
    const begun = performance.now();
    for (const piece of ['a-', ' ', 'http://a:b', ':1', '?a', '\n']) {
      new MetaapoError('config', 'x', { where: 'y', got: piece.repeat(1_000_000) });
    }
    expect(performance.now() - begun).toBeLessThan(5000);
  });

  it('shows no key that an address holds', () => {
    const address = 'http://user:S3CRET@host/v1?api_key=S3CRET';
    const error = new MetaapoError('config', `not ${address}`, { where: address, got: `["${address}"]` });
    expect(JSON.stringify([error.message, error.fault])).not.toContain('S3CRET');
  });
});
