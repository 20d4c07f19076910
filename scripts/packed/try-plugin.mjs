// A third-party plugin as its author makes it and its users take it: written by the command, built, tested, packed,
// installed as a tarball, trained with by a recipe, and used in projects built by tsc, esbuild and tsx.
import { cpSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { root, run } from '../setup.mjs';

const tool = (name) => join(root, 'node_modules', '.bin', name);

/**
 * @param project directory of a project with all packages installed
 * @param nodes Node executables to run everything with
 * @param check runs a command in a directory and reports it; true when it held
 * @param install installs a tarball into the project
 */
export function tryPlugin(project, nodes, check, install) {
  const plugin = join(project, 'my-loss');
  const [node] = nodes;
  const command = join(project, 'node_modules', '@metaapo', 'cli', 'bin', 'metaapo.js');
  const made =
    check('metaapo plugins new', node, [command, 'plugins', 'new', 'loss', 'my-loss'], project) &&
    check('the new plugin: tsc', tool('tsc'), [], plugin) &&
    check('the new plugin: npm pack', 'npm', ['pack', '--ignore-scripts'], plugin) &&
    install(join(plugin, 'my-loss-0.1.0.tgz'));
  if (!made) return;
  buildUsers(project, check);
  writeRecipe(project);
  for (const [at, one] of nodes.entries()) {
    const label = `under ${run(one, ['--version'], { quiet: true }).stdout.trim()}`;
    check(
      `the new plugin: its conformance test ${label}`,
      one,
      ['--test', join(plugin, 'dist', 'my-loss.test.js')],
      plugin,
    );
    for (const built of ['with-tsc/use-plugin.js', 'with-esbuild.mjs'])
      check(`${built} ${label}`, one, [built], project);
    check(`use-plugin.ts with tsx ${label}`, one, ['--import', tsxLoader(), 'use-plugin.ts'], project);
    const train = [command, 'train', 'recipe.yaml', '--set', `output=run-${at}`];
    check(`metaapo train with the plugin ${label}`, one, train, project);
  }
}

const tsxLoader = () => import.meta.resolve('tsx');

function buildUsers(project, check) {
  cpSync(fileURLToPath(new URL('use-plugin.ts', import.meta.url)), join(project, 'use-plugin.ts'));
  const types = ['--target', 'ES2022', '--module', 'NodeNext', '--strict', '--skipLibCheck', '--types', 'node'];
  check('use-plugin.ts: tsc', tool('tsc'), [...types, '--outDir', 'with-tsc', 'use-plugin.ts'], project);
  const bundle = ['--bundle', '--platform=node', '--format=esm', '--outfile=with-esbuild.mjs', '--log-level=warning'];
  // CommonJS packages inside the bundle ask for Node's own modules by require.
  const banner = "--banner:js=import{createRequire}from'node:module';const require=createRequire(import.meta.url);";
  check('use-plugin.ts: esbuild', tool('esbuild'), ['use-plugin.ts', ...bundle, banner], project);
}

/** Four steps on pairs of token ids with the smallest model there is. */
function writeRecipe(project) {
  const ids = (from, length) => Array.from({ length }, (_, index) => 3 + ((from + 7 * index) % 90));
  const rows = Array.from({ length: 8 }, (_, row) => ({
    prompt: ids(row, 4),
    chosen: ids(row + 1, 3),
    rejected: ids(row + 2, 5),
  }));
  writeFileSync(join(project, 'pairs.jsonl'), rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  writeFileSync(
    join(project, 'recipe.yaml'),
    `model: ${join(root, 'fixtures', 'models', 'qwen2')}
backend: wasm
plugins: [my-loss]
loss: { id: my-loss, beta: 0.2, offset: 1 }
data: { train: pairs.jsonl }
training: { batchSize: 2, learningRate: 1e-3 }
output: run
`,
  );
}
