import { copyFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readArrays } from '@metaapo/core/storage';
import { describe, expect, it } from 'vitest';
import { prepareBackend } from './support/backends.js';
import { type GoldenSet, goldenSets } from './support/goldens.js';
import { metaapo, temporaryDirectory } from './support/metaapo.js';

interface Golden {
  readonly loss: string;
  readonly beta: number;
  readonly gamma: number;
  readonly meta: { readonly T_meta: number } | null;
  readonly history: readonly (Readonly<Record<string, number>> & { readonly weights?: readonly number[] })[];
  readonly meta_updates: readonly { readonly after_step: number; readonly meta_loss: number }[];
}

/** An executor on a backend. */
const WAYS = [
  ['compiled', 'tensorflow'],
  ['eager', 'tensorflow'],
  ['eager', 'wasm'],
  ['xla', 'tensorflow'],
  ['eager', 'webgpu'],
] as const;

/** XLA compiles the model anew in every process, and a software driver is slow: a training or two are enough. */
const isMeant = (method: string, [executor, backend]: (typeof WAYS)[number], set: number): boolean => {
  if (backend === 'webgpu') return set === 0 && method === 'metaapo-dpo';
  return executor !== 'xla' || (set === 0 && (method === 'dpo' || method === 'metaapo-dpo'));
};

const missingWebgpu = await prepareBackend('webgpu');

const directory = temporaryDirectory();
const METRICS = [
  'rewards/chosen',
  'rewards/rejected',
  'rewards/margins',
  'rewards/accuracies',
  'logps/chosen',
  'logps/rejected',
];

/** Relative difference, with an absolute floor for values near zero. */
const difference = (a: number, b: number): number => Math.abs(a - b) / Math.max(Math.abs(b), 1e-2);

function referenceDirectory({ name, training, start }: GoldenSet): string {
  const reference = join(directory, `${name}-reference`);
  if (existsSync(reference)) return reference;
  mkdirSync(reference);
  copyFileSync(join(start, 'config.json'), join(reference, 'config.json'));
  copyFileSync(join(training, 'reference.safetensors'), join(reference, 'model.safetensors'));
  return reference;
}

function train(
  set: GoldenSet,
  method: string,
  golden: Golden,
  [executor, backend]: (typeof WAYS)[number],
  precision: 'float32' | 'bfloat16' = 'float32',
): string {
  const output = join(directory, `${set.name}-${method}-${executor}-${backend}-${precision}`);
  const loss = { id: golden.loss, beta: golden.beta, ...(golden.loss === 'simpo' ? { gamma: golden.gamma } : {}) };
  const recipe = {
    model: set.start,
    reference: referenceDirectory(set),
    executor,
    loss,
    data: { train: join(set.training, 'data.json') },
    training: {
      batchSize: 8,
      shuffle: false,
      learningRate: 1e-3,
      schedule: 'cosine_with_min_lr',
      warmupSteps: 2,
      adamBetas: [0.9, 0.95],
      maxGradNorm: 1,
    },
    output,
    ...(golden.meta && {
      metaLearner: { id: 'mlp', updateEvery: golden.meta.T_meta, init: join(set.training, 'meta-init.safetensors') },
    }),
  };
  const sets = Object.entries(recipe).flatMap(([key, value]) => ['--set', `${key}=${JSON.stringify(value)}`]);
  const env = { METAAPO_HOME: join(directory, 'home'), METAAPO_BACKEND: backend };
  const result = metaapo(['train', 'dpo', ...sets, '--set', `precision=${precision}`], env);
  expect(result.status, result.stderr).toBe(0);
  const compiled = Number(/^XLA compiled (\d+) computations/m.exec(result.stdout)?.[1] ?? 0);
  // Of policy and reference, for all sizes of their batches.
  expect(compiled > 0, result.stdout).toBe(executor === 'xla');
  expect(compiled).toBeLessThanOrEqual(28);
  return output;
}

const cases = goldenSets().flatMap((set, index) =>
  ['dpo', 'simpo', 'ipo', 'metaapo-dpo', 'metaapo-simpo'].flatMap((method) =>
    WAYS.filter((way) => isMeant(method, way, index)).map((way) => ({ set, method, way })),
  ),
);

describe('metaapo train reproduces the PyTorch trajectory', () => {
  for (const { set, method, way } of cases) {
    it(`${method} of ${set.name}, ${way.join(' on ')}`, async (context) => {
      if (way[1] === 'webgpu' && missingWebgpu !== undefined) context.skip(missingWebgpu);
      const golden = JSON.parse(readFileSync(join(set.training, `${method}.json`), 'utf8')) as Golden;
      const output = train(set, method, golden, way);
      const lines = readFileSync(join(output, 'metrics.jsonl'), 'utf8').trim().split('\n');
      const journal = golden.meta && readFileSync(join(output, 'journal.jsonl'), 'utf8').trim().split('\n');
      for (const [index, expected] of golden.history.entries()) {
        const got = JSON.parse(lines[index]!) as Record<string, number>;
        expect(got.learning_rate).toBeCloseTo(expected.lr!, 10);
        expect(difference(got.loss!, expected.loss!), `loss of step ${index + 1}`).toBeLessThan(1e-4);
        expect(difference(got.grad_norm!, expected.grad_norm!), `grad_norm of step ${index + 1}`).toBeLessThan(1e-3);
        for (const name of METRICS) {
          expect(difference(got[name]!, expected[name]!), `${name} of step ${index + 1}`).toBeLessThan(5e-4);
        }
        const { weights } = JSON.parse(journal?.[index] ?? '{}') as { weights?: number[] };
        for (const [row, weight] of (expected.weights ?? []).entries()) {
          expect(Math.abs(weights![row]! - weight), `w of row ${row}, step ${index + 1}`).toBeLessThan(1e-5);
        }
        const update = golden.meta_updates.find(({ after_step: step }) => step === index + 1);
        if (update !== undefined) expect(Math.abs(got['meta/loss']! - update.meta_loss)).toBeLessThan(1e-5);
      }
      await expectWeights(
        join(output, 'model', 'model.safetensors'),
        join(set.training, `${method}-final.safetensors`),
      );
    });
  }
});

describe('metaapo train in bfloat16', () => {
  for (const way of WAYS.filter(([executor, backend]) => executor !== 'eager' || backend === 'webgpu')) {
    const name = 'has the losses of float32 to 1e-2, its rewards to 5e-3, its accuracies to a pair';
    it(`${name}, ${way.join(' on ')}`, (context) => {
      if (way[1] === 'webgpu' && missingWebgpu !== undefined) context.skip(missingWebgpu);
      const [set] = goldenSets();
      const golden = JSON.parse(readFileSync(join(set!.training, 'dpo.json'), 'utf8')) as Golden;
      const output = train(set!, 'dpo', golden, way, 'bfloat16');
      const lines = readFileSync(join(output, 'metrics.jsonl'), 'utf8').trim().split('\n');
      for (const [index, expected] of golden.history.entries()) {
        const got = JSON.parse(lines[index]!) as Record<string, number>;
        expect(Math.abs(got.loss! - expected.loss!), `loss of step ${index + 1}`).toBeLessThan(1e-2);
        // A pair whose rewards are nearer to one another than the rounding may change its order.
        const accuracies = Math.abs(got['rewards/accuracies']! - expected['rewards/accuracies']!);
        expect(accuracies, `accuracies of step ${index + 1}`).toBeLessThanOrEqual(1 / 8);
        for (const name of ['rewards/chosen', 'rewards/rejected']) {
          expect(Math.abs(got[name]! - expected[name]!), `${name} of step ${index + 1}`).toBeLessThan(5e-3);
        }
      }
    });
  }
});

async function expectWeights(file: string, golden: string): Promise<void> {
  const [got, expected] = [await readArrays(file), await readArrays(golden)];
  for (const [name, { values }] of Object.entries(expected)) {
    const worst = values.reduce((most, value, index) => Math.max(most, Math.abs(got[name]!.values[index]! - value)), 0);
    expect(worst, name).toBeLessThan(1e-4);
  }
}
