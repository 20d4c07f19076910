import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readArrays } from '@metaapo/core/storage';
import { beforeAll, describe, expect, it } from 'vitest';
import { metaapo, quickstartModel, root, temporaryDirectory } from './support/metaapo.js';

interface Step {
  readonly loss: number;
  readonly weights: readonly number[];
  readonly lr: number;
  readonly grad_norm: number;
  readonly meta_loss?: number;
}

interface Golden {
  readonly loss: 'dpo' | 'simpo';
  readonly beta: number;
  readonly gamma: number;
  readonly iterations: readonly { readonly selected: readonly number[]; readonly steps: readonly Step[] }[];
}

const training = join(root, 'fixtures', 'training');
const file = join(training, 'reference-data.json');
const data = JSON.parse(readFileSync(file, 'utf8')) as {
  readonly rows: readonly { readonly prompt: string; readonly chosen: string; readonly rejected: string }[];
} & Readonly<Record<string, number>>;
const directory = temporaryDirectory();
const at = (name: string): string => join(directory, name);

/** An executor on a backend. */
const WAYS = [
  ['compiled', 'tensorflow'],
  ['eager', 'tensorflow'],
  ['eager', 'wasm'],
] as const;

beforeAll(() => {
  for (const [name, weights] of [
    ['start', join(root, 'fixtures', 'models', 'qwen2', 'model.safetensors')],
    ['reference', join(training, 'reference.safetensors')],
  ] as const) {
    mkdirSync(at(name));
    for (const text of ['tokenizer.json', 'tokenizer_config.json', 'chat_template.jinja']) {
      cpSync(join(quickstartModel, text), join(at(name), text));
    }
    cpSync(join(root, 'fixtures', 'models', 'qwen2', 'config.json'), join(at(name), 'config.json'));
    cpSync(weights, join(at(name), 'model.safetensors'));
  }
  const said = (role: string, content: string) => [{ role, content }];
  const rows = data.rows.map(({ prompt, chosen, rejected }) =>
    JSON.stringify({
      prompt: said('user', prompt),
      chosen: said('assistant', chosen),
      rejected: said('assistant', rejected),
    }),
  );
  writeFileSync(at('pairs.jsonl'), `${rows.join('\n')}\n`);
});

/** The built-in recipe over small models and what the fixture says is sampled; what it says of the method stays. */
function settingsOf(
  { loss, beta, gamma }: Golden,
  executor: string,
  output: string,
): Readonly<Record<string, unknown>> {
  const parts = { id: 'scripted', path: file };
  return {
    model: at('start'),
    reference: loss === 'dpo' ? at('reference') : '',
    loss: loss === 'dpo' ? { id: loss, beta } : { id: loss, beta, gamma },
    rewardModel: parts,
    sampler: parts,
    plugins: [join(root, 'test', 'support', 'scripted-parts.mjs')],
    'metaLearner.updateEvery': data.updateEvery,
    iterations: data.iterations,
    promptsPerIteration: data.slice,
    responsesPerPrompt: data.responses,
    'data.train': at('pairs.jsonl'),
    'data.trainSplit': '',
    'data.eval': '',
    'data.evalSplit': '',
    'data.maxLength': data.maxLength,
    'data.maxPromptLength': data.maxPromptLength,
    'training.batchSize': data.batch,
    'training.learningRate': data.learningRate,
    'training.warmupRatio': data.warmupRatio,
    'training.seed': data.seed,
    'training.shuffle': false,
    precision: 'float32',
    executor,
    output,
  };
}

function run(golden: Golden, [executor, backend]: (typeof WAYS)[number]): string {
  const output = at(`${golden.loss}-${executor}-${backend}`);
  const sets = Object.entries(settingsOf(golden, executor, output)).flatMap(([key, value]) => [
    '--set',
    `${key}=${value === '' ? '' : JSON.stringify(value)}`,
  ]);
  const env = { METAAPO_HOME: at('home'), METAAPO_BACKEND: backend };
  const result = metaapo(['run', 'metaapo-reference', ...sets], env);
  expect(result.status, result.stderr).toBe(0);
  return output;
}

const linesOf = (name: string): Readonly<Record<string, unknown>>[] =>
  readFileSync(name, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));

/** Relative difference, with an absolute floor for values near zero. */
const difference = (a: number, b: number): number => Math.abs(a - b) / Math.max(Math.abs(b), 1e-2);

describe('metaapo run metaapo-reference goes the way of the reference code in PyTorch', () => {
  const cases = ['dpo', 'simpo'].flatMap((loss) => WAYS.map((way) => ({ loss, way })));
  it.each(cases)('$loss, $way', async ({ loss, way }) => {
    const golden = JSON.parse(readFileSync(join(training, `metaapo-reference-${loss}.json`), 'utf8')) as Golden;
    const output = run(golden, way);
    const journal = linesOf(join(output, 'journal.jsonl'));
    const selected = journal.filter(({ kind }) => kind === 'selection').map((entry) => entry.selected);
    expect(selected).toEqual(golden.iterations.map((one) => one.selected));
    const metrics = linesOf(join(output, 'metrics.jsonl')).filter((line) => 'loss' in line);
    const weights = journal.filter(({ kind }) => kind === 'step').map((entry) => entry.weights as number[]);
    const steps = golden.iterations.flatMap((one) => one.steps);
    expect(metrics).toHaveLength(steps.length);
    for (const [index, expected] of steps.entries()) {
      const got = metrics[index] as Readonly<Record<string, number>>;
      expect(got.learning_rate).toBeCloseTo(expected.lr, 10);
      expect(difference(got.loss!, expected.loss), `loss of step ${index + 1}`).toBeLessThan(1e-4);
      expect(difference(got.grad_norm!, expected.grad_norm), `grad_norm of step ${index + 1}`).toBeLessThan(1e-3);
      for (const [row, weight] of expected.weights.entries()) {
        expect(Math.abs(weights[index]![row]! - weight), `w ${row} of step ${index + 1}`).toBeLessThan(1e-5);
      }
      expect('meta/loss' in got, `update after step ${index + 1}`).toBe(expected.meta_loss !== undefined);
      if (expected.meta_loss !== undefined) expect(got['meta/loss']).toBeCloseTo(expected.meta_loss, 4);
    }
    const final = await readArrays(join(training, `metaapo-reference-${loss}-final.safetensors`));
    const policy = await readArrays(join(output, 'model', 'model.safetensors'));
    const learner = await readArrays(join(output, 'meta-learner.safetensors'));
    for (const [name, { values }] of Object.entries(final)) {
      const got = name.startsWith('meta/') ? learner[name.slice('meta/'.length)] : policy[name];
      const worst = values.reduce((most, value, place) => Math.max(most, Math.abs(got!.values[place]! - value)), 0);
      expect(worst, name).toBeLessThan(1e-4);
    }
  });
});
