import { cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readArrays, writeArrays } from '@metaapo/core/storage';
import { selectBackend } from '@metaapo/engine';
import { loadScorer, type ScorerOptions, scoreSequences } from '@metaapo/models';
import { beforeAll, describe, expect, it } from 'vitest';
import { root, temporaryDirectory } from '../support/metaapo.js';

const fixtures = join(root, 'fixtures', 'reward-models');
const { sequences, ...golden } = JSON.parse(readFileSync(join(fixtures, 'golden.json'), 'utf8')) as Record<
  string,
  number[]
> & { readonly sequences: number[][] };

const directory = temporaryDirectory();
beforeAll(async () => void (await selectBackend({})));

function expectNear(found: Float32Array, wanted: readonly number[]): void {
  expect(found).toHaveLength(wanted.length);
  for (const [at, value] of wanted.entries()) expect(found[at]).toBeCloseTo(value, 4);
}

async function scoresOf(model: string, options: ScorerOptions = {}, savedTo?: string): Promise<Float32Array> {
  const scorer = await loadScorer(model, { executor: 'eager', ...options });
  try {
    if (savedTo !== undefined) await scorer.save(savedTo);
    return await scoreSequences(
      scorer,
      sequences.map((one) => Int32Array.from(one)),
      1000,
    );
  } finally {
    scorer.dispose();
  }
}

describe('a reward model', () => {
  const optimizer = { beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0 };

  it.each(['own-pad', 'pad-is-end', 'no-pad'])(
    'of transformers has its scores, asked and in training: %s',
    async (name) => {
      const scorer = await loadScorer(join(fixtures, name), { executor: 'eager', optimizer });
      try {
        const ids = sequences.map((one) => Int32Array.from(one));
        expectNear(await scoreSequences(scorer, ids, 1000), golden[name]!);
        const groups = ids.map((one) => ({
          prompt: one.subarray(0, 1),
          responses: [one.subarray(1), one.subarray(1)],
        }));
        const ticket = await scorer.forward(groups);
        await scorer.discard(ticket);
        expectNear(
          ticket.rewards,
          golden[name]!.flatMap((score) => [score, score]),
        );
      } finally {
        scorer.dispose();
      }
    },
  );

  it.each(['value-head', 'normalised'])(
    'of OpenRLHF has its scores, and again after it was saved: %s',
    async (name) => {
      const saved = join(directory, name);
      for (const one of [join(fixtures, name), saved]) expectNear(await scoresOf(one, {}, saved), golden[name]!);
      await expect(loadScorer(saved, { optimizer })).rejects.toThrow(/scored with, not trained/);
    },
  );

  it('of OpenRLHF is normalised as the caller says, by what lies beside its weights first', async () => {
    const raw = golden.normalised!.map((score) => 1.75 * score + 0.25);
    expectNear(await scoresOf(join(fixtures, 'normalised'), { normalizeReward: false }), raw);
    const halved = golden['value-head']!.map((score) => (score - 3) / 0.5);
    expectNear(await scoresOf(join(fixtures, 'value-head'), { normalizeReward: true }), halved);
    const copy = join(directory, 'buffers');
    cpSync(join(fixtures, 'normalised'), copy, { recursive: true });
    const file = join(copy, 'model.safetensors');
    const one = (value: number) => ({ shape: [1], values: Float32Array.of(value) });
    await writeArrays(file, { ...(await readArrays(file)), mean: one(1), std: one(2) });
    const saved = join(directory, 'saved-buffers');
    const normalised = raw.map((score) => (score - 1) / 2);
    expectNear(await scoresOf(copy, {}, saved), normalised);
    expectNear(await scoresOf(saved), normalised);
  });
});
