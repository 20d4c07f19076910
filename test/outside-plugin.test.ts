import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildSync } from 'esbuild';
import { beforeAll, expect, it } from 'vitest';
import { quickstartModel, root, temporaryDirectory } from './support/metaapo.js';

const project = temporaryDirectory();

/** A project of somebody else's: our packages and theirs are installed side by side, and nothing of ours knows theirs. */
beforeAll(() => {
  const modules = join(project, 'node_modules');
  mkdirSync(join(modules, '@metaapo'), { recursive: true });
  symlinkSync(join(root, 'packages', 'core'), join(modules, '@metaapo', 'core'));
  symlinkSync(join(root, 'packages', 'core', 'node_modules', 'zod'), join(modules, 'zod'));
  installPlugin(modules, 'outside-parts', join(root, 'test', 'outside', 'plugin.ts'));
  installPlugin(modules, 'group-relative', join(root, 'examples', 'group-relative', 'src', 'plugin.ts'));
  writeFileSync(join(project, 'package.json'), JSON.stringify({ name: 'somebody', private: true, type: 'module' }));
  const prompts = ['ab', 'ba', 'cd', 'de', 'ef', 'fg', 'gh', 'ha'];
  const rows = prompts.map((prompt) => JSON.stringify({ prompt, chosen: 'ab', rejected: 'cdef' }));
  writeFileSync(join(project, 'pairs.jsonl'), `${rows.join('\n')}\n`);
});

/** Builds a package as its author would, and puts it beside ours. */
function installPlugin(modules: string, name: string, source: string): void {
  const plugin = join(modules, name);
  mkdirSync(plugin);
  const manifest = { name, version: '1.0.0', type: 'module', exports: './index.js' };
  writeFileSync(join(plugin, 'package.json'), JSON.stringify(manifest));
  buildSync({
    entryPoints: [source],
    outfile: join(plugin, 'index.js'),
    bundle: true,
    platform: 'node',
    format: 'esm',
    external: ['@metaapo/core/contracts', 'zod'],
  });
}

const recipe = {
  model: { id: 'letter-model', seed: 3 },
  objective: { id: 'raise-better' },
  selection: { id: 'all' },
  sampler: { id: 'local', maxNewTokens: 6 },
  annotation: { id: 'first-few', most: 3 },
  rewardModel: { id: 'length' },
  iterations: 2,
  responsesPerPrompt: 4,
  data: { train: 'pairs.jsonl', maxLength: 32 },
  training: { batchSize: 2, learningRate: 0.2, warmupSteps: 0 },
  plugins: ['outside-parts'],
  output: 'run',
};

function metaapo(...args: string[]) {
  const command = join(root, 'packages', 'cli', 'bin', 'metaapo.js');
  return spawnSync(process.execPath, [command, ...args], {
    cwd: project,
    encoding: 'utf8',
    env: { ...process.env, METAAPO_BACKEND: 'wasm' },
  });
}

it('runs a model, an objective and an annotation rule of a package outside of this workspace', () => {
  writeFileSync(join(project, 'recipe.yaml'), JSON.stringify(recipe));
  const planned = metaapo('run', 'recipe.yaml', '--dry-run');
  expect(planned.status, planned.stderr).toBe(0);
  const run = metaapo('run', 'recipe.yaml');
  expect(run.status, run.stderr).toBe(0);
  expect(existsSync(join(project, 'run', 'model', 'bigram.json'))).toBe(true);
  const metrics = readFileSync(join(project, 'run', 'metrics.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  const scored = metrics.flatMap((line) => line['responses/scored'] ?? []);
  expect(scored).toEqual([12, 12]);
});

it('refuses what the machine of another model cannot know', () => {
  writeFileSync(join(project, 'wrong.yaml'), JSON.stringify({ ...recipe, precision: 'bfloat16', output: 'wrong' }));
  const refused = metaapo('run', 'wrong.yaml');
  expect(refused.status).toBe(2);
  expect(refused.stderr).toMatch(/model letter-model.*unknown option precision/);
  expect(existsSync(join(project, 'wrong'))).toBe(false);
});

it('trains a language model of this machine by an objective of single tokens on the rows of the loop', () => {
  const { objective: _, model: __, ...rest } = recipe;
  const own = {
    ...rest,
    model: quickstartModel,
    objective: { id: 'group-relative', beta: 0.05 },
    annotation: { id: 'all' },
    plugins: ['group-relative'],
    training: { batchSize: 4, learningRate: 1e-3, warmupSteps: 0 },
    output: 'own',
  };
  writeFileSync(join(project, 'own.yaml'), JSON.stringify(own));
  const run = metaapo('run', 'own.yaml');
  expect(run.status, run.stderr).toBe(0);
  expect(existsSync(join(project, 'own', 'model', 'model.safetensors'))).toBe(true);
  expect(run.stdout).toMatch(/[1-9]\d* reward calls instead of 32/);
});
