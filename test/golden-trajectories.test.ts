import { existsSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { readArrays } from '@metaapo/core/storage';
import { describe, expect, it } from 'vitest';
import { metaapo, root, temporaryDirectory } from './support/metaapo.js';

interface Golden {
  readonly loss: string;
  readonly beta: number;
  readonly gamma: number;
  readonly meta: { readonly T_meta: number } | null;
  readonly history: readonly (Readonly<Record<string, number>> & { readonly weights?: readonly number[] })[];
  readonly meta_updates: readonly { readonly after_step: number; readonly meta_loss: number }[];
}

const shared = process.env.METAAPO_SHARED ?? join(root, '..', 'shared');
const goldens = join(shared, 'goldens', 'training');
const isHere = existsSync(goldens);
if (!isHere) console.log('skipped: golden trajectories, METAAPO_SHARED names no directory with goldens/training');

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

function referenceDirectory(): string {
  const reference = join(directory, 'reference');
  if (existsSync(reference)) return reference;
  mkdirSync(reference);
  symlinkSync(join(goldens, 'model', 'config.json'), join(reference, 'config.json'));
  symlinkSync(join(goldens, 'reference.safetensors'), join(reference, 'model.safetensors'));
  return reference;
}

function train(method: string, golden: Golden, backend: string): string {
  const output = join(directory, `${method}-${backend}`);
  const loss = { id: golden.loss, beta: golden.beta, ...(golden.loss === 'simpo' ? { gamma: golden.gamma } : {}) };
  const recipe = {
    model: join(goldens, 'model'),
    reference: referenceDirectory(),
    loss,
    data: { train: join(goldens, 'data.json') },
    training: {
      batchSize: 8,
      shuffle: false,
      learningRate: 1e-3,
      warmupSteps: 2,
      adamBetas: [0.9, 0.95],
      maxGradNorm: 1,
    },
    output,
    ...(golden.meta && {
      metaLearner: { id: 'mlp', updateEvery: golden.meta.T_meta, init: join(goldens, 'meta-init.safetensors') },
    }),
  };
  const sets = Object.entries(recipe).flatMap(([key, value]) => ['--set', `${key}=${JSON.stringify(value)}`]);
  const env = { METAAPO_HOME: join(directory, 'home'), METAAPO_BACKEND: backend };
  const result = metaapo(['train', 'dpo', ...sets, '--set', 'precision=float32'], env);
  expect(result.status, result.stderr).toBe(0);
  return output;
}

describe.skipIf(!isHere)('metaapo train reproduces the PyTorch trajectory of', () => {
  for (const method of ['dpo', 'simpo', 'ipo', 'metaapo-dpo', 'metaapo-simpo']) {
    for (const backend of ['tensorflow', 'wasm']) {
      it(`${method} on ${backend}`, async () => {
        const golden = JSON.parse(readFileSync(join(goldens, `${method}.json`), 'utf8')) as Golden;
        const output = train(method, golden, backend);
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
        await expectWeights(join(output, 'model', 'model.safetensors'), join(goldens, `${method}-final.safetensors`));
      });
    }
  }
});

async function expectWeights(file: string, golden: string): Promise<void> {
  const [got, expected] = [await readArrays(file), await readArrays(golden)];
  for (const [name, { values }] of Object.entries(expected)) {
    const worst = values.reduce((most, value, index) => Math.max(most, Math.abs(got[name]!.values[index]! - value)), 0);
    expect(worst, name).toBeLessThan(1e-4);
  }
}
