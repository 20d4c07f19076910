import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { defaultSearchPath, findNativePackage } from '../src/backends/native-package.js';
import { installBackend } from '../src/backends/provision/install-backend.js';

const wheel = process.env.METAAPO_TEST_WHEEL;
const original = findNativePackage('tensorflow', defaultSearchPath());
const reason =
  wheel === undefined
    ? 'METAAPO_TEST_WHEEL does not name a tensorflow-cpu 2.21 wheel'
    : original === undefined
      ? '@tensorflow/tfjs-node is not installed'
      : undefined;
if (reason !== undefined) console.log(`skipped: the real installation is not tested: ${reason}`);

describe.skipIf(reason !== undefined)('a real installation', () => {
  let root: string;
  let packageDirectory: string;
  beforeAll(() => {
    root = mkdtempSync(join(tmpdir(), 'metaapo-provision-'));
    packageDirectory = copyUnprovisioned(original!.directory, join(root, 'node_modules'));
  });
  afterAll(() => rmSync(root, { recursive: true, force: true }));

  it('compiles the binding, runs a product, and the second time only runs it', async () => {
    const options = {
      wheel: resolve(wheel!),
      searchFrom: [root],
      env: { ...process.env, METAAPO_HOME: join(root, 'home') },
    };
    const first = await installBackend(options);
    expect(first).toMatchObject({ status: 'installed', libtensorflow: expect.stringMatching(/^2\.21\./) });
    expect(first.packageDirectory).toBe(packageDirectory);
    const binding = join(packageDirectory, 'lib', 'napi-v8', 'tfjs_binding.node');
    const { mtimeMs } = statSync(binding);
    expect(readFileSync(binding).subarray(0, 4).toString('latin1')).toBe('\x7fELF');
    expect(await installBackend(options)).toMatchObject({ status: 'already-installed' });
    expect(statSync(binding).mtimeMs).toBe(mtimeMs);
  }, 300_000);
});

/** The package without libraries and binding, with links to what it depends on. */
function copyUnprovisioned(from: string, modules: string): string {
  const goal = join(modules, '@tensorflow', 'tfjs-node');
  mkdirSync(goal, { recursive: true });
  for (const name of ['package.json', 'dist', 'binding'])
    cpSync(join(from, name), join(goal, name), { recursive: true });
  const siblings = dirname(dirname(from));
  for (const scope of readdirSync(siblings)) {
    const isScope = scope.startsWith('@');
    const packages = isScope ? readdirSync(join(siblings, scope)).map((name) => join(scope, name)) : [scope];
    mkdirSync(isScope ? join(modules, scope) : modules, { recursive: true });
    for (const name of packages) {
      if (name !== join('@tensorflow', 'tfjs-node')) symlinkSync(join(siblings, name), join(modules, name));
    }
  }
  return goal;
}
