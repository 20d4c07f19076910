import { composeRun } from '@metaapo/core';
import type { PartContext, SampledResponse, TextModel } from '@metaapo/core/contracts';
import models, { localModel } from '@metaapo/models';
import samplers from '@metaapo/samplers';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { prepareBackend } from './support/backends.js';
import { quickstartModel, root } from './support/metaapo.js';

let policy: TextModel;

beforeAll(async () => {
  expect(await prepareBackend('wasm')).toBeUndefined();
  policy = await localModel({ path: quickstartModel }, { report: () => undefined }).openReference('start', {
    cachedTokens: 512,
  });
});
afterAll(() => policy.model.dispose());

async function sampled(options: Readonly<Record<string, unknown>>): Promise<readonly SampledResponse[]> {
  const context: PartContext = { baseDirectory: root, report: () => undefined, env: {}, policy };
  const recipe = { sampler: { id: 'local', maxNewTokens: 5, ...options } };
  const { sampler, dispose } = await composeRun({ plugins: [models, samplers], recipe, context });
  try {
    const responses: SampledResponse[] = [];
    const request = { row: 0, prompt: policy.tokenizer!.encode('Name a colour.'), count: 2, seed: 3 };
    for await (const answer of sampler.sample([request])) responses.push(...answer.responses);
    return responses;
  } finally {
    await dispose();
  }
}

it('writes with another model, named as a recipe names models', async () => {
  const own = await sampled({});
  expect(own).toHaveLength(2);
  expect(await sampled({ model: quickstartModel })).toEqual(own);
  expect(await sampled({ model: { id: 'local', path: quickstartModel, executor: 'eager' } })).toEqual(own);
});

it('refuses a model whose ids are others than those of the policy', async () => {
  const other = { ...policy, tokenizer: { ...policy.tokenizer!, fingerprint: 'another' } };
  const context: PartContext = { baseDirectory: root, report: () => undefined, env: {}, policy: other };
  const recipe = { sampler: { id: 'local', model: quickstartModel } };
  const made = composeRun({ plugins: [models, samplers], recipe, context });
  await expect(made).rejects.toThrow(/sampler local model: .*another tokenizer/);
});
