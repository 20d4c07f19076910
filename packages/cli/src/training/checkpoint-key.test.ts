import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { changedInputs } from '@metaapo/core';
import { expect, it, onTestFinished } from 'vitest';
import { checkpointKey, type DecidingInputs } from './checkpoint-key.js';

const trained = {
  fingerprint: 'f',
  eosTokenIds: [2],
  model: { fingerprint: 'w' },
} as unknown as DecidingInputs['trained'];
const recipe = {
  model: { id: 'local', path: 'm', executor: 'eager' },
  plugins: [],
  metaLearner: { id: 'mlp' },
  training: { learningRate: 1e-4, saveEvery: 2 },
  output: 'runs/a',
};
const keyOf = (given: object) =>
  checkpointKey({ recipe: { ...recipe, ...given }, trained, rows: [{ row: 1 }], held: [] });
const changed = (given: object): readonly string[] => changedInputs(keyOf({}), keyOf(given));

it('knows a value that decides numbers, also where the recipe in the run directory was edited', () => {
  expect(changed({ training: { learningRate: 2e-4, saveEvery: 2 } })).toEqual(['a value of the recipe']);
  expect(changed({ budget: { share: 0.5 } })).toEqual(['a value of the recipe']);
});

it('takes what changes no number for the same, and what moves last bits for what another key tells', () => {
  expect(changed({ output: 'runs/b', training: { saveEvery: 5, learningRate: 1e-4 } })).toEqual([]);
  expect(changed({ model: { ...recipe.model, executor: 'compiled' } })).toEqual([]);
});

it('knows the file that a meta-learner begins with', () => {
  const directory = mkdtempSync(join(tmpdir(), 'metaapo-key-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const init = join(directory, 'learned.safetensors');
  const learner = { metaLearner: { id: 'mlp', init } };
  writeFileSync(init, 'one');
  const before = keyOf(learner);
  expect(changedInputs(before, keyOf(learner))).toEqual([]);
  writeFileSync(init, 'two');
  expect(changedInputs(before, keyOf(learner))).toEqual([`the file ${init}`]);
});
