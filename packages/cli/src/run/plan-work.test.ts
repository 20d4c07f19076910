import type { RunRecipe } from '@metaapo/core';
import { expect, it } from 'vitest';
import { runWork, trainingWork } from './plan-work.js';

const ids = (length: number): Int32Array => new Int32Array(length).fill(1);
const group = { prompt: ids(10), responses: [ids(4), ids(6)] };
const row = { row: 0, prompt: ids(10), chosen: ids(4), rejected: ids(6) };
const estimate = { parameters: { all: 100, trained: 50 }, total: 0, parts: {} };
const training = { batchSize: 2, epochs: 2, saveEvery: 2, evaluateEvery: 2 } as RunRecipe['training'];

it('counts what a training reads, trains, evaluates and saves', () => {
  const planned = { estimate, groups: [group, group], heldGroups: [group], isReferred: true, totalSteps: 4 };
  const { stages } = trainingWork({ ...planned, recipe: { training } });
  expect(stages).toEqual({
    reference: { readers: 0, read: 60 },
    train: { trained: 80, updates: 4 },
    // Before the first step, after the second and after the last.
    evaluate: { read: 60 },
    save: { saved: 50 * (4 + 2 * 12) },
  });
  expect(trainingWork({ ...planned, recipe: { training, reference: { id: 'local' } } }).stages.reference?.readers).toBe(
    1,
  );
  expect(trainingWork({ ...planned, isReferred: false, recipe: { training } }).stages.reference).toBeUndefined();
});

it('counts what a run of iterations draws and computes', () => {
  const recipe = {
    ...{ training: { ...training, evaluateEvery: undefined }, evaluateRewards: 1, cachedTokens: 40 },
    sampler: { id: 'local', maxNewTokens: 3 },
  } as unknown as RunRecipe;
  const iterations = [
    { rows: 2, most: 2, expected: 1 },
    { rows: 2, most: 2, expected: 1 },
  ];
  const planned = {
    ...{ recipe, estimate, rows: [row, row, row, row], held: [row], iterations, steps: [1, 1] },
    ...{ isReferred: true, isScored: true, isAllTrained: false, responses: 2 },
  };
  const work = runWork(planned);
  expect(work.stages).toEqual({
    // Online pairs of two responses of three tokens; the reference is opened twice in the second iteration.
    reference: { readers: 2, read: 80 + 2 * 16 + 20 },
    score: { read: 40 },
    sample: { sampled: 12, read: 20 },
    train: { trained: 2 * 2 * 26, updates: 2 },
    evaluate: { sampled: 9, read: 30 + 4 * 20 },
    save: { saved: 50 * (3 * 4 + 2 * 12) },
  });
  expect(work.requests).toHaveLength(2);
  const served = runWork({ ...planned, recipe: { ...recipe, sampler: { id: 'openai', maxNewTokens: 3 } } });
  expect(served).toMatchObject({ requests: undefined, stages: { sample: {} } });
});
