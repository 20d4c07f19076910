import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTrainer, initialTrainerState, planBatches, preference, referenceLogprobs } from '@metaapo/core';
import type { Generation, TokenizedPreference } from '@metaapo/core/contracts';
import { uniformOf } from '@metaapo/core/numerics';
import { readArrays } from '@metaapo/core/storage';
import { dpo } from '@metaapo/losses';
import { ALL_LINEAR, type LanguageModelOptions, loadLanguageModel } from '@metaapo/models';
import { describe, expect, it } from 'vitest';
import { prepareBackend } from '../support/backends.js';
import { root } from '../support/metaapo.js';

const models = join(root, 'fixtures', 'models');
const directory = join(models, 'qwen2-bf16');
const optimizer = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0 };
const lora = { rank: 4, alpha: 8, targetModules: ALL_LINEAR, useRslora: false, seed: 3 };
const ids = (key: number, length: number): Int32Array =>
  Int32Array.from({ length }, (_, index) => 3 + Math.floor(93 * uniformOf(['bfloat16', key, index])));
const rows: readonly TokenizedPreference[] = Array.from({ length: 16 }, (_, row) => ({
  row,
  prompt: ids(3 * row, 5),
  chosen: ids(3 * row + 1, 6),
  rejected: ids(3 * row + 2, 4),
}));
const groups = rows.map(({ prompt, chosen, rejected }) => ({ prompt, responses: [chosen, rejected] }));

/** Loss of every step and log-probabilities after two of them. */
async function train(options: LanguageModelOptions): Promise<readonly number[]> {
  const model = await loadLanguageModel(directory, { ...options, optimizer });
  const reference = await referenceLogprobs({ model, rows, microBatchTokens: 64 });
  const objective = preference({ loss: dpo({ beta: 0.1 }) });
  const trainer = createTrainer({
    model,
    objective,
    rows,
    reference,
    plan: planBatches({ rowCount: rows.length, batchSize: 8, epochs: 1, shuffle: false, seed: 0 }),
    schedule: { kind: 'constant', peak: 1e-3, warmupSteps: 0, totalSteps: 2, minRatio: 0 },
    optimizer: { ...optimizer, maxGradNorm: 1 },
    microBatchTokens: 64,
    start: initialTrainerState(objective),
  });
  const losses: number[] = [];
  while (!trainer.isDone) losses.push((await trainer.step()).metrics.loss!);
  const { sumLogprobs } = await model.evaluate(groups);
  model.dispose();
  return [...losses, ...sumLogprobs];
}

describe.each(['tensorflow', 'webgpu'] as const)('bfloat16 on %s', (backend) => {
  const there = (name: string, body: () => Promise<void>) =>
    it(name, async (context) => {
      const missing = await prepareBackend(backend);
      if (missing !== undefined) return context.skip(missing);
      await body();
    });

  there('gives the same bits each time, all weights trained and an adapter alone', async () => {
    for (const options of [{ precision: 'bfloat16' }, { precision: 'bfloat16', lora }] as const) {
      expect(await train(options)).toEqual(await train(options));
    }
  });

  there('is near float32', async () => {
    const [narrow, wide] = [await train({ precision: 'bfloat16' }), await train({ precision: 'float32' })];
    // Eight bits a factor: the losses of the two steps agree to 1e-2, sums over some tokens to 0.1.
    for (const [at, value] of narrow.entries()) expect(Math.abs(value - wide[at]!)).toBeLessThan(at < 2 ? 1e-2 : 0.1);
  });

  there('stores frozen matrices in bfloat16, and computes the same bits with them', async () => {
    for (const name of ['qwen2-bf16', 'qwen2', 'llama']) {
      const frozen = await loadLanguageModel(join(models, name), { precision: 'bfloat16' });
      const trained = await loadLanguageModel(join(models, name), { precision: 'bfloat16', optimizer });
      const [a, b] = [await frozen.evaluate(groups), await trained.evaluate(groups)];
      expect([...a.sumLogprobs], name).toEqual([...b.sumLogprobs]);
      frozen.dispose();
      trained.dispose();
    }
  });

  there('generates the same bits each time, near what it evaluates', async () => {
    const generate = async () => {
      const model = await loadLanguageModel(directory, { precision: 'bfloat16', cachedTokens: 512 });
      const requests = rows.map(({ row, prompt }) => ({
        ...{ prompt, count: 3, maxNewTokens: 12, stopTokenIds: [1], seed: row, temperature: 1 },
      }));
      const done: Generation[][] = [];
      for await (const { request, generations } of model.generate!(requests)) done[request] = [...generations];
      const all = requests.map(({ prompt }, index) => ({
        prompt,
        responses: done[index]!.map(({ tokens }) => tokens),
      }));
      const { sumLogprobs } = await model.evaluate(all);
      model.dispose();
      return { generations: done.flat(), sumLogprobs };
    };
    const { generations, sumLogprobs } = await generate();
    expect((await generate()).generations).toEqual(generations);
    for (const [index, { logprobs }] of generations.entries()) {
      // Eight bits a factor, where keys and values have two bytes in attention too: 0.1 over up to twelve tokens, as above.
      expect(Math.abs(logprobs.reduce((sum, value) => sum + value, 0) - sumLogprobs[index]!)).toBeLessThan(0.1);
    }
  });

  there('saves every digit of a float32 checkpoint, merged with an adapter too', async () => {
    const base = join(models, 'qwen2');
    const expected = await readArrays(join(base, 'model.safetensors'));
    const temporary = await mkdtemp(join(tmpdir(), 'metaapo-bfloat16-'));
    // B of a new adapter is zero, so that the merged weights are those of the base.
    for (const [name, options] of Object.entries({ evaluated: {}, adapted: { lora, optimizer } })) {
      const model = await loadLanguageModel(base, { precision: 'bfloat16', ...options });
      await model.saveMerged(join(temporary, name));
      model.dispose();
      const saved = await readArrays(join(temporary, name, 'model.safetensors'));
      for (const [tensor, { values }] of Object.entries(saved))
        expect(values, tensor).toEqual(expected[tensor]!.values);
    }
    await rm(temporary, { recursive: true });
  });
});
