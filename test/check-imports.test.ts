import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

type CheckImports = (root: string, options?: { cyclesOnly?: boolean }) => string[];

const script = new URL('../scripts/check-imports.mjs', import.meta.url).href;
const { checkImports } = (await import(script)) as { checkImports: CheckImports };

const manifest = (name: string, more: object = {}): string => JSON.stringify({ name: `@metaapo/${name}`, ...more });

describe('the import rules', () => {
  let root: string;

  const write = (path: string, text: string): void => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  };

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'metaapo-imports-'));
    const onCore = { peerDependencies: { '@metaapo/core': '*' } };
    write('package.json', JSON.stringify({ devDependencies: { vitest: '*', '@metaapo/core': '*' } }));
    write('packages/core/package.json', manifest('core', { dependencies: { tsyringe: '*' } }));
    write('packages/engine/package.json', manifest('engine', { dependencies: { '@metaapo/core': '*', yauzl: '*' } }));
    write('packages/losses/package.json', manifest('losses', onCore));
    write(
      'packages/samplers/package.json',
      manifest('samplers', { ...onCore, dependencies: { '@metaapo/losses': '*' } }),
    );
    write('packages/core/src/contracts/index.ts', 'export const CONTRACT = 1;');
  });

  afterEach(() => rmSync(root, { recursive: true, force: true }));

  const inFile = (path: string, ...specifiers: string[]): string[] => {
    write(path, specifiers.map((specifier) => `import '${specifier}';`).join('\n'));
    return checkImports(root);
  };

  it.each([
    ['packages/losses/src/dpo.ts', '@metaapo/core/contracts'],
    ['packages/losses/src/dpo.test.ts', 'node:fs'],
    ['packages/core/src/storage/journal.ts', 'node:fs'],
    ['packages/core/src/numerics/random.ts', 'node:crypto'],
    ['packages/engine/src/backends/load.ts', 'node:fs'],
    ['packages/samplers/src/openai/ask.ts', 'node:fs'],
    ['packages/losses/src/dpo.test.ts', 'vitest'],
    ['packages/engine/src/wheel.ts', 'yauzl'],
    ['packages/core/src/compose/container.ts', 'tsyringe'],
    ['packages/core/src/trainer/train.ts', '../contracts/index.js'],
    ['test/all.test.ts', '@metaapo/core'],
  ])('let %s import %s', (path, specifier) => {
    expect(inFile(path, specifier)).toEqual([]);
  });

  it.each([
    ['packages/losses/src/dpo.ts', '@metaapo/core', "may not import '@metaapo/core'"],
    ['packages/samplers/src/all.ts', '@metaapo/losses', "may not import '@metaapo/losses'"],
    ['packages/core/src/trainer/train.ts', '@metaapo/engine', 'no other package of the workspace'],
    ['packages/core/src/trainer/train.ts', 'tsyringe', 'only in packages/core/src/compose'],
    ['packages/losses/src/dpo.ts', 'node:fs', 'this file is to run in a browser too'],
    ['packages/samplers/src/local/local.ts', 'node:path', 'this file is to run in a browser too'],
    ['packages/engine/src/executors/eager/session.ts', 'node:os', 'this file is to run in a browser too'],
    ['packages/core/src/numerics/random.ts', 'node:fs', 'this file is to run in a browser too'],
    ['packages/losses/src/dpo.ts', 'vitest', 'a development dependency'],
    ['packages/losses/src/dpo.ts', 'yauzl', 'not declared'],
    ['packages/losses/src/dpo.ts', 'fs', "write 'node:fs'"],
    ['packages/losses/src/dpo.ts', './absent.js', 'is no file'],
    ['packages/losses/src/dpo.ts', '../../core/src/contracts/index.js', 'leaves the package'],
    ['test/all.test.ts', 'yauzl', 'not in the root package.json'],
  ])('stop %s from importing %s', (path, specifier, problem) => {
    expect(inFile(path, specifier)).toEqual([expect.stringMatching(new RegExp(`^${path}:1: .*${problem}`))]);
  });

  it('keep the folders of core in their order', () => {
    write('packages/core/src/trainer/train.ts', '');
    expect(inFile('packages/core/src/contracts/loss.ts', '../trainer/train.js')).toEqual([
      'packages/core/src/contracts/loss.ts:1: core/contracts may not import core/trainer: it lies above',
    ]);
  });

  it('see imports that are written in other ways', () => {
    write(
      'packages/losses/src/a.ts',
      "export * from 'one';\nconst b = await import('two');\ntype C = import('three').C;",
    );
    expect(checkImports(root).map((finding) => finding.match(/:\d: '\w+'/)?.[0])).toEqual([
      ":1: 'one'",
      ":2: 'two'",
      ":3: 'three'",
    ]);
  });

  it('find a circle once, unless types alone make it', () => {
    write('packages/losses/src/a.ts', "import { b } from './b.js';\nexport const a = b;");
    write('packages/losses/src/b.ts', "import type { A } from './a.js';\nexport const b = 1;");
    expect(checkImports(root, { cyclesOnly: true })).toEqual([]);
    write('packages/losses/src/b.ts', "import { a } from './a.js';\nexport const b = a;");
    expect(checkImports(root, { cyclesOnly: true })).toEqual([
      expect.stringContaining('packages/losses/src/a.ts -> packages/losses/src/b.ts -> packages/losses/src/a.ts'),
    ]);
  });
});
