import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { moduleDigest } from './module-digest.js';

let home: string;
const write = (name: string, content: string): void => {
  mkdirSync(dirname(join(home, name)), { recursive: true });
  writeFileSync(join(home, name), content);
};
const digest = (): string => moduleDigest(join(home, 'plugin/index.mjs'));

const FILES: Readonly<Record<string, string>> = {
  'plugin/package.json': '{"name":"a","type":"module","imports":{"#inner":"./inner.mjs"}}',
  'plugin/index.mjs': `
import { a } from './lib/a.js';
export * from "#inner";
import dependency from 'dependency/part';
export default async () => import('./late.mjs');`,
  'plugin/lib/a.js': `import './b.js'; export const a = 1;`,
  'plugin/lib/b.ts': `const c = require('../data');`,
  'plugin/data.json': '{}',
  'plugin/inner.mjs': 'export const inner = 1;',
  'plugin/late.mjs': `import './index.mjs';`,
  'plugin/node_modules/dependency/package.json': '{"name":"dependency","version":"1.0.0"}',
};

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'metaapo-modules-'));
  for (const [name, content] of Object.entries(FILES)) write(name, content);
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

it.each([
  ['a module that it imports', 'plugin/lib/a.js', 'export const a = 2;'],
  ['one that is imported by that, by its compiled name', 'plugin/lib/b.ts', 'const c = 2;'],
  ['what that requires, without an ending', 'plugin/data.json', '{"a":1}'],
  ['a module that is imported late', 'plugin/late.mjs', 'export default 2;'],
  ['a module with a name of its package', 'plugin/inner.mjs', 'export const inner = 2;'],
  ['the version of a dependency', 'plugin/node_modules/dependency/package.json', '{"version":"1.0.1"}'],
  ['how its modules are read', 'plugin/package.json', '{"name":"a","type":"commonjs"}'],
])('is another one when it is another: %s', (_, name, content) => {
  const before = digest();
  expect(digest()).toBe(before);
  write(name, content);
  expect(digest()).not.toBe(before);
});

it('is the same elsewhere, behind a link, and whatever else lies beside it', () => {
  const before = digest();
  cpSync(join(home, 'plugin'), join(home, 'copy'), { recursive: true });
  expect(moduleDigest(join(home, 'copy/index.mjs'))).toBe(before);
  symlinkSync(join(home, 'plugin'), join(home, 'link'));
  expect(moduleDigest(join(home, 'link/index.mjs'))).toBe(before);
  write('plugin/notes.txt', 'mine');
  write('plugin/package.json', FILES['plugin/package.json']!.replace('"a"', '"b"'));
  expect(digest()).toBe(before);
});

it('reads nothing but files, and no more than can be looked at', () => {
  write(
    'plugin/index.mjs',
    `import '/dev/zero'; import '../../../../../../dev/zero'; import './missing.mjs'; import '.';`,
  );
  expect(digest()).toMatch(/^[0-9a-f]{64}$/);
  expect(moduleDigest(join(home, 'absent.mjs'))).toMatch(/^[0-9a-f]{64}$/);
  write('plugin/large.mjs', '');
  truncateSync(join(home, 'plugin/large.mjs'), 2 ** 28 + 1);
  write('plugin/index.mjs', `import './large.mjs';`);
  expect(digest).toThrow(/imports more than can be looked at/);
});
