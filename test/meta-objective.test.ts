import { join } from 'node:path';
import {
  createTrainer,
  groupOf,
  initialTrainerState,
  logSigmoid,
  memoryOf,
  planBatches,
  preference,
  type RowLogprobs,
  referenceLogprobs,
} from '@metaapo/core';
import type { PreferenceLoss, TokenizedPreference } from '@metaapo/core/contracts';
import { uniformOf } from '@metaapo/core/numerics';
import { hinge, ipo } from '@metaapo/losses';
import { mlp } from '@metaapo/meta-learners';
import { type LanguageModel, loadLanguageModel } from '@metaapo/models';
import { beforeAll, describe, expect, it } from 'vitest';
import { prepareBackend } from './support/backends.js';
import { root } from './support/metaapo.js';

beforeAll(async () => {
  expect(await prepareBackend('wasm')).toBeUndefined();
});

const optimizer = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0, maxGradNorm: 1 };
const [BATCH, STEPS, UPDATE_EVERY] = [4, 6, 2];

function makeRows(): readonly TokenizedPreference[] {
  const ids = (key: number, length: number): Int32Array =>
    Int32Array.from({ length }, (_, index) => 3 + Math.floor(93 * uniformOf(['meta objective', key, index])));
  return Array.from({ length: BATCH * STEPS }, (_, row) => ({
    row,
    prompt: ids(10 * row, 4),
    chosen: ids(10 * row + 1, 3 + (row % 3)),
    rejected: ids(10 * row + 2, 2 + (row % 4)),
    online: [{ chosen: ids(10 * row + 3, 2 + (row % 2)), rejected: ids(10 * row + 4, 3 + (row % 5)) }],
  }));
}

/** What the formulas of two losses say of a margin, without the code of either. */
const LOSSES: readonly {
  readonly name: string;
  readonly loss: PreferenceLoss;
  readonly ofMargin: (h: number) => number;
  readonly isMean: boolean;
}[] = [
  { name: 'hinge', loss: hinge({ beta: 0.2 }), ofMargin: (h) => Math.max(0, 1 - 0.2 * h), isMean: false },
  { name: 'ipo', loss: ipo({ beta: 0.5 }), ofMargin: (h) => (h - 1) ** 2, isMean: true },
];

/** Margin of the offline (first 0) or online (first 2) pair of a row, over sums or means. */
function marginOf(
  row: TokenizedPreference,
  policy: RowLogprobs,
  reference: RowLogprobs,
  first: 0 | 2,
  isMean: boolean,
) {
  const ratio = (at: number): number =>
    (policy[at]! - reference[at]!) / (isMean ? groupOf(row).responses[at]!.length : 1);
  return ratio(first) - ratio(first + 1);
}

async function policyLogprobs(model: LanguageModel, rows: readonly TokenizedPreference[]): Promise<RowLogprobs[]> {
  const { sumLogprobs } = await model.evaluate(rows.map(groupOf));
  return rows.map((_, index) => sumLogprobs.slice(4 * index, 4 * index + 4));
}

const meanOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

describe('MetaAPO over a loss that was made for offline pairs', () => {
  it.each(LOSSES)('trains mean(w L_off + (1 - w) L_on) with $name', async ({ loss, ofMargin, isMean }) => {
    const rows = makeRows();
    const model = await loadLanguageModel(join(root, 'fixtures', 'models', 'qwen2'), { optimizer, executor: 'eager' });
    try {
      const reference = await referenceLogprobs({ model, rows, microBatchTokens: 4096 });
      const learner = mlp();
      const plan = planBatches({ rowCount: rows.length, batchSize: BATCH, epochs: 1, shuffle: false, seed: 0 });
      const objective = preference({ loss, metaLearner: { learner, updateEvery: UPDATE_EVERY } });
      const trainer = createTrainer({
        model,
        objective,
        rows,
        reference,
        plan,
        schedule: { kind: 'constant', peak: 1e-3, warmupSteps: 0, totalSteps: plan.totalSteps, minRatio: 0 },
        optimizer,
        microBatchTokens: 40,
        start: initialTrainerState(objective, 3),
      });
      const waiting: { readonly feature: number; readonly losses: readonly [number, number] }[] = [];
      for (let step = 0; step < STEPS; step++) {
        const batch = rows.slice(BATCH * step, BATCH * (step + 1));
        const policy = await policyLogprobs(model, batch);
        const margins = (first: 0 | 2): number[] =>
          batch.map((row, at) => marginOf(row, policy[at]!, reference[BATCH * step + at]!, first, isMean));
        const logSigmoidScore = Float32Array.from(margins(0), logSigmoid);
        const weightsOf = (scores: Float32Array) => [
          ...learner.weights(metaState, {
            logSigmoidScore: scores,
            chosenTokens: Int32Array.from(scores, () => 1),
            rejectedTokens: Int32Array.from(scores, () => 1),
          }),
        ];
        const metaState = memoryOf(trainer.state.objective).metaLearner!;
        const weights = weightsOf(logSigmoidScore);
        const [offline, online] = [margins(0).map(ofMargin), margins(2).map(ofMargin)];
        const { metrics, weights: trained } = await trainer.step();
        const mixed = weights.map((w, at) => w * offline[at]! + (1 - w) * online[at]!);
        expect(metrics.loss, `step ${step}`).toBeCloseTo(meanOf(mixed), 4);
        expect(meanOf([...trained!])).toBeCloseTo(meanOf(weights), 5);
        for (const [at, feature] of logSigmoidScore.entries()) {
          waiting.push({ feature, losses: [offline[at]!, online[at]!] });
        }
        expect('meta/loss' in metrics).toBe((step + 1) % UPDATE_EVERY === 0);
        if ((step + 1) % UPDATE_EVERY !== 0) continue;
        const now = weightsOf(Float32Array.from(waiting, ({ feature }) => feature));
        const weighed = waiting.map(({ losses: [off, on] }, at) => now[at]! * off + (1 - now[at]!) * on);
        expect(metrics['meta/loss']).toBeCloseTo(meanOf(weighed), 4);
        expect(memoryOf(trainer.state.objective).metaLearner).not.toEqual(metaState);
        waiting.length = 0;
      }
    } finally {
      model.dispose();
    }
  });
});
