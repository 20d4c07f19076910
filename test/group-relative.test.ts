import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createTrainer, initialTrainerState, planBatches, referenceLogprobs } from '@metaapo/core';
import type { SampledRow } from '@metaapo/core/contracts';
import { uniformOf } from '@metaapo/core/numerics';
import { type LanguageModel, loadLanguageModel } from '@metaapo/models';
import { describeObjective } from '@metaapo/testing';
import { beforeAll, describe, expect, it } from 'vitest';
import { groupRelative } from '../examples/group-relative/src/group-relative.js';
import plugin from '../examples/group-relative/src/plugin.js';
import { prepareBackend } from './support/backends.js';
import { root } from './support/metaapo.js';

beforeAll(async () => {
  expect(await prepareBackend('wasm')).toBeUndefined();
});

describeObjective({ describe, it }, () => groupRelative(), { name: 'group-relative' });
describeObjective({ describe, it }, () => groupRelative({ beta: 0.1, advantage: 'centred' }), {
  name: 'group-relative with a reference',
});

const optimizer = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0, maxGradNorm: 1 };

/** Responses of the model itself to four prompts, eight to each, with their rewards. */
async function sampled(model: LanguageModel, round: number): Promise<readonly SampledRow[]> {
  const requests = Array.from({ length: 4 }, (_, row) => ({
    prompt: Int32Array.from({ length: 4 }, (_, at) => 3 + Math.floor(90 * uniformOf(['group-relative', row, at]))),
    count: 8,
    maxNewTokens: 6,
    stopTokenIds: [],
    temperature: 1,
    seed: 100 * round + row,
  }));
  const rows: SampledRow[] = [];
  for await (const { request, generations } of model.generate!(requests)) {
    const responses = generations.map(({ tokens, logprobs }) => ({
      tokens,
      logprobs,
      reward: tokens.filter((token) => token % 2 === 0).length,
    }));
    rows.push({ row: request, prompt: requests[request]!.prompt, responses });
  }
  return rows.toSorted((a, b) => a.row - b.row);
}

const meanReward = (rows: readonly SampledRow[]): number => {
  const rewards = rows.flatMap(({ responses }) => responses.map(({ reward }) => reward));
  return rewards.reduce((sum, reward) => sum + reward, 0) / rewards.length;
};

describe('a group-relative objective of another package', () => {
  it('is a plugin of one part in two files, which import the contracts alone', () => {
    expect(plugin.parts.map(({ id }) => id)).toEqual(['group-relative']);
    const sources = join(root, 'examples', 'group-relative', 'src');
    expect(readdirSync(sources)).toEqual(['group-relative.ts', 'plugin.ts']);
    const imported = readdirSync(sources).flatMap((file) =>
      [...readFileSync(join(sources, file), 'utf8').matchAll(/from '([^']+)'/g)].map(([, name]) => name),
    );
    expect([...new Set(imported)].sort()).toEqual(['./group-relative.js', '@metaapo/core/contracts', 'zod']);
  });

  it('refuses responses without the log-probabilities that they were sampled with', () => {
    const row: SampledRow = { row: 3, prompt: Int32Array.of(1), responses: [{ tokens: Int32Array.of(2), reward: 1 }] };
    expect(() => groupRelative().trainedRows!([row])).toThrow(/row 3: a response has no log-probabilities/);
  });

  it('raises the reward of what a model samples, over a few rounds', async () => {
    const model = await loadLanguageModel(join(root, 'fixtures', 'models', 'qwen2'), {
      optimizer,
      executor: 'eager',
      cachedTokens: 2048,
    });
    const objective = groupRelative({ beta: 0.01 });
    let state = initialTrainerState(objective);
    const rewards: number[] = [];
    for (let round = 0; round < 6; round++) {
      const rows = await sampled(model, round);
      rewards.push(meanReward(rows));
      const reference = await referenceLogprobs({ model, rows, objective, microBatchTokens: 4096 });
      const plan = planBatches({ rowCount: rows.length, batchSize: 4, epochs: 2, shuffle: false, seed: round });
      const trainer = createTrainer({
        model,
        objective,
        rows,
        reference,
        plan,
        schedule: { kind: 'constant', peak: 1e-2, warmupSteps: 0, totalSteps: plan.totalSteps, minRatio: 0 },
        optimizer,
        microBatchTokens: 100,
        start: { ...state, step: 0 },
      });
      const { metrics } = await trainer.step();
      // The policy is the one that sampled: all ratios are 1, and the advantages of a prompt add up to nothing.
      expect(metrics['policy/clipped']).toBe(0);
      expect(Math.abs(metrics.loss!)).toBeLessThan(1e-3);
      while (!trainer.isDone) await trainer.step();
      state = trainer.state;
    }
    console.log(`mean reward of each round: ${rewards.map((reward) => reward.toFixed(2)).join(', ')}`);
    expect(rewards.at(-1)!, rewards.join(' ')).toBeGreaterThan(rewards[0]! + 1);
    model.dispose();
  });
});
