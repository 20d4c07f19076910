import { expect, it } from 'vitest';
import { requirePlatform } from './platform.js';

it('accepts Linux x64 with glibc 2.27 or later', () => {
  expect(requirePlatform({ system: 'linux', architecture: 'x64', glibc: '2.27' })).toBe(27);
});

it.each([
  ['darwin', 'arm64', undefined, /Linux x64 only.*darwin arm64.*METAAPO_BACKEND=wasm/],
  ['linux', 'arm64', '2.36', /Linux x64 only/],
  ['linux', 'x64', undefined, /glibc 2\.27 or later.*Alpine/],
  ['linux', 'x64', '2.17', /glibc 2\.17/],
])('refuses %s %s with glibc %s', (system, architecture, glibc, message) => {
  expect(() => requirePlatform({ system, architecture, glibc })).toThrow(message);
});
