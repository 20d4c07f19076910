import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { metaapo, root, temporaryDirectory } from './support/metaapo.js';

const directory = temporaryDirectory();
const model = join(root, 'fixtures', 'models', 'qwen2');
const data = join(root, 'fixtures', 'training', 'kto-data.json');
const env = { METAAPO_HOME: join(directory, 'home'), METAAPO_BACKEND: 'wasm' };

/** A recipe file of a short training. */
function recipe(name: string, more: object): string {
  const file = join(directory, `${name}.yaml`);
  const training = { batchSize: 8, learningRate: 1e-3, shuffle: false };
  const common = {
    model,
    executor: 'eager',
    data: { train: data, eval: data },
    training,
    output: join(directory, name),
  };
  writeFileSync(file, JSON.stringify({ ...common, ...more }));
  return file;
}

const metricsOf = (name: string): Record<string, number>[] =>
  readFileSync(join(directory, name, 'metrics.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, number>);

it('trains judged responses by KTO, which the recipe names, and says what it would do', () => {
  const objective = { id: 'kto', beta: 0.2, desirableWeight: 0.6 };
  const file = recipe('kto', { objective, training: { batchSize: 8, learningRate: 1e-3, warmupSteps: 0 } });
  const planned = metaapo(['train', file, '--dry-run'], env);
  expect(planned.stdout, planned.stderr).toContain('Training: 40 judged responses, 5 steps of 8');
  const result = metaapo(['train', file], env);
  expect(result.status, result.stderr).toBe(0);
  expect(result.stderr).toContain('27 desirable, 13 undesirable');
  const lines = metricsOf('kto');
  expect(lines[0]).toMatchObject({ step: 0, eval_kl: 0 });
  expect(lines[1]).toMatchObject({ step: 1, kl: 0, 'rewards/chosen': 0 });
  expect(lines.at(-1)!.eval_loss).toBeLessThan(lines[0]!.eval_loss!);
  expect(existsSync(join(directory, 'kto', 'model', 'model.safetensors'))).toBe(true);
  expect(readFileSync(join(directory, 'kto', 'recipe.yaml'), 'utf8')).toMatch(/objective:\s+id: kto\s+beta: 0\.2/);
});

it('trains by one command whatever the objective, to the same numbers as its own name', () => {
  const demonstrations = { maxRows: 16, train: data, column: 'completion' };
  const named = metaapo(['train', recipe('named', { objective: { id: 'sft' }, data: demonstrations })], env);
  const own = metaapo(['sft', recipe('own', { data: demonstrations })], env);
  expect([named.status, own.status], named.stderr + own.stderr).toEqual([0, 0]);
  const timeless = (name: string) => metricsOf(name).map((line) => ({ ...line, 'time/step_s': 0, time: 0 }));
  expect(timeless('named')).toEqual(timeless('own'));
});

it('refuses what the objective does not read, before anything is written', () => {
  const file = recipe('foreign', { objective: { id: 'kto' }, data: { train: data, turns: 'last' } });
  const result = metaapo(['train', file, '--dry-run'], env);
  expect(result.status).toBe(2);
  expect(result.stderr).toContain('data.turns: it does nothing for an objective over judged responses');
  const unknown = metaapo(['train', recipe('unknown', { objective: { id: 'ktoo' } })], env);
  expect(unknown.stderr).toContain('objective ktoo: there is no objective with this id. Did you mean kto?');
  expect(existsSync(join(directory, 'unknown'))).toBe(false);
});
