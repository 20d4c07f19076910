import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { MetaBuffer } from '@metaapo/core/contracts';
import { readArrays } from '@metaapo/core/storage';
import { describe, expect, it } from 'vitest';
import { mlp } from '../src/index.js';

const SHARED = process.env.METAAPO_SHARED ?? new URL('../../../../shared', import.meta.url).pathname;
const TRAINING = `${SHARED}/goldens/training`;
const isThere = existsSync(`${TRAINING}/meta-init.safetensors`);
if (!isThere)
  console.info(`golden trajectories skipped: ${TRAINING} is absent; set METAAPO_SHARED to the folder with goldens/`);

interface Golden {
  readonly meta: { readonly T_meta: number };
  readonly history: readonly { readonly weights: number[]; readonly meta_input: number[] }[];
  readonly meta_updates: readonly {
    readonly meta_loss: number;
    readonly mean_weight: number;
    readonly weight_at: Readonly<Record<string, number>>;
  }[];
}

/** Losses of the rows of one step; the golden files hold only their means, see fixtures/meta-learners. */
interface StepLosses {
  readonly logSigmoidScore: number[];
  readonly offlineLoss: number[];
  readonly onlineLoss: number[];
}

async function readJson<Value>(file: string | URL): Promise<Value> {
  return JSON.parse(await readFile(file, 'utf8'));
}

function bufferOf(steps: readonly StepLosses[]): MetaBuffer {
  const column = (name: keyof StepLosses): Float32Array => Float32Array.from(steps.flatMap((step) => step[name]));
  return {
    logSigmoidScore: column('logSigmoidScore'),
    offlineLoss: column('offlineLoss'),
    onlineLoss: column('onlineLoss'),
  };
}

describe.runIf(isThere).each(['metaapo-dpo', 'metaapo-simpo'])('golden trajectory %s', (method) => {
  it('has every weight, meta loss and curve within 1e-5 over 16 steps and 4 updates', async () => {
    const golden = await readJson<Golden>(`${TRAINING}/${method}.json`);
    const losses = await readJson<StepLosses[]>(
      new URL(`../../../fixtures/meta-learners/${method}-losses.json`, import.meta.url),
    );
    const learner = mlp();
    let state = await readArrays(`${TRAINING}/meta-init.safetensors`);
    const near = (actual: number, expected: number, what: string): void =>
      expect(Math.abs(actual - expected), what).toBeLessThan(1e-5);
    golden.history.forEach((record, step) => {
      const weights = learner.weights(state, { logSigmoidScore: Float32Array.from(record.meta_input) });
      record.weights.forEach((expected, row) => {
        near(weights[row]!, expected, `weight of step ${step + 1} row ${row}`);
      });
      if ((step + 1) % golden.meta.T_meta !== 0) return;
      const at = (step + 1) / golden.meta.T_meta - 1;
      const expected = golden.meta_updates[at]!;
      const update = learner.update(state, bufferOf(losses.slice(at * golden.meta.T_meta, step + 1)));
      near(update.loss, expected.meta_loss, `meta loss after step ${step + 1}`);
      state = update.state;
      for (const [input, weight] of Object.entries(expected.weight_at)) {
        const [actual] = learner.weights(state, { logSigmoidScore: Float32Array.of(Number(input)) });
        near(actual!, weight, `h(${input}) after step ${step + 1}`);
      }
    });
    expect(golden.meta_updates.length).toBe(4);
  });
});
