import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bindingFile, defaultSearchPath, findNativePackage } from '../src/backends/native-package.js';
import { type BindingCompiler, NATIVE_TARGETS } from '../src/backends/native-targets.js';
import { requireKnownWheel } from '../src/backends/provision/known-wheels.js';
import { checkTensorflow, extractLibtensorflow } from '../src/backends/provision/libtensorflow.js';
import { standInForPython } from '../src/backends/provision/python-stand-in.js';
import { openWheel } from '../src/backends/provision/wheel.js';
import { QUIET_SOURCE } from '../src/backends/quiet-loading.js';
import { exportedSymbols, undefinedSymbols } from './exported-symbols.js';

const folder = process.env.METAAPO_TEST_WHEELS;
const found = findNativePackage('tensorflow', defaultSearchPath());
const binding = found && bindingFile(found.directory);
/** An executable of Zig, which compiles for macOS on any system. */
const zig = process.env.METAAPO_TEST_ZIG;
const reason =
  folder === undefined
    ? 'METAAPO_TEST_WHEELS names no folder of tensorflow 2.21 wheels'
    : process.platform !== 'linux' || binding === undefined || !existsSync(binding)
      ? 'there is no binding for Linux whose symbols could be read'
      : undefined;
if (reason !== undefined) console.log(`skipped: what wheels of other systems hold is not looked at: ${reason}`);

/** What the binding asks libtensorflow for: its C API, which is the same on each system. */
const wanted = (): string[] => [...undefinedSymbols(binding!)].filter((name) => /^TFE?_/.test(name));

describe.skipIf(reason !== undefined)('the wheel for', () => {
  let directory: string;
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'metaapo-wheels-'));
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  it.for(NATIVE_TARGETS)(
    '$title is known and exports what the binding imports',
    { timeout: 600_000 },
    async (target, { skip }) => {
      const names = readdirSync(folder!).filter((name) => name.endsWith('.whl') && target.wheelTag.test(name));
      skip(names.length === 0, `${folder} has no wheel for ${target.title}`);
      const wheel = join(folder!, names[0]!);
      await requireKnownWheel(wheel, { allowUnknown: false, report: () => undefined });
      const tree = await openWheel(wheel);
      const goal = join(directory, target.id);
      try {
        await checkTensorflow(tree, 'cpu', target);
        await extractLibtensorflow(tree, goal, target);
      } finally {
        tree.close();
      }
      const libraries = target.libraries.map(({ name }) => join(goal, 'lib', name));
      const exported = libraries.map(exportedSymbols);
      const missing = wanted().filter((name) => !exported.some((symbols) => symbols.has(name)));
      const counts = exported.map(({ size }) => size).join(' and ');
      console.log(
        `${target.title}: ${wanted().length} symbols are wanted, ${counts} exported, ${missing.length} missing`,
      );
      expect(missing).toEqual([]);
      expect(wanted().length).toBeGreaterThan(50);
      if (target.importsPython) expect(await standInForPython(libraries[0]!)).toMatch(/^python3\d+\.dll$/);
      for (const header of ['tensorflow/c/c_api.h', 'tensorflow/c/eager/c_api.h', 'tsl/platform/ctstring.h']) {
        expect(existsSync(join(goal, 'include', header))).toBe(true);
      }
      if (target.id === 'darwin-arm64' && zig !== undefined) linkForMacos(zig, goal, target.compiler!);
      rmSync(goal, { recursive: true });
    },
  );
});

/** Compiles and links the binding, and the addon beside it, as a Mac would. */
function linkForMacos(compiler: string, libtensorflow: string, { flags, linking }: BindingCompiler): void {
  const headers = dirname(createRequire(import.meta.url).resolve('node-api-headers/include/node_api.h'));
  const quiet = join(libtensorflow, 'quiet.cc');
  writeFileSync(quiet, QUIET_SOURCE);
  const sources = ['tfjs_backend.cc', 'tfjs_binding.cc'].map((name) => join(found!.directory, 'binding', name));
  const [lib, include] = ['lib', 'include'].map((name) => join(libtensorflow, name)) as [string, string];
  const common = ['c++', '-target', 'aarch64-macos.12.0', ...flags, '-I', headers];
  for (const [name, more] of [
    ['quiet', ['-pthread', quiet]],
    ['binding', ['-I', include, ...sources, '-L', lib, ...linking]],
  ] as const) {
    const output = join(libtensorflow, `${name}.node`);
    const { status, stderr } = spawnSync(compiler, [...common, '-o', output, ...more], { encoding: 'utf8' });
    expect(status, stderr).toBe(0);
    expect(readFileSync(output).toString('latin1', 0, 4)).toBe('\xcf\xfa\xed\xfe');
  }
  console.log('macOS on Apple silicon: the binding is compiled and linked');
}
