import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TokenChoice } from '@metaapo/core/contracts';
import { uniformOf } from '@metaapo/core/numerics';
import * as tf from '@tensorflow/tfjs';
import { describe, expect, it } from 'vitest';
import { drawTokens, filterLogits, penalizeRepetition } from '../../packages/models/src/generation/next-tokens.js';
import { prepareBackend } from '../support/backends.js';
import { root } from '../support/metaapo.js';

interface Case {
  readonly name: string;
  readonly choice: Partial<TokenChoice>;
  /** `[4][64]` */
  readonly probabilities: readonly (readonly number[])[];
}

const golden = JSON.parse(readFileSync(join(root, 'fixtures', 'generation', 'logits.json'), 'utf8')) as {
  readonly logits: number[][];
  readonly present: number[][];
  readonly cases: readonly Case[];
};
const DRAWS = 20_000;

/** Upper 1e-6 quantile of chi-square with so many degrees of freedom, by Wilson and Hilferty. */
function chiSquareBound(degrees: number): number {
  const z = 4.753;
  return degrees * (1 - 2 / (9 * degrees) + z * Math.sqrt(2 / (9 * degrees))) ** 3;
}

/** Sum of (seen - expected)^2 / expected, tokens that are expected fewer than five times together. */
function chiSquare(seen: readonly number[], probabilities: readonly number[]): { value: number; degrees: number } {
  let [value, cells, rareSeen, rareExpected] = [0, 0, 0, 0];
  for (const [token, probability] of probabilities.entries()) {
    const expected = probability * DRAWS;
    if (expected < 5) {
      rareSeen += seen[token]!;
      rareExpected += expected;
    } else {
      value += (seen[token]! - expected) ** 2 / expected;
      cells += 1;
    }
  }
  if (rareExpected > 0) {
    value += (rareSeen - rareExpected) ** 2 / rareExpected;
    cells += 1;
  }
  return { value, degrees: Math.max(1, cells - 1) };
}

for (const backend of ['tensorflow', 'wasm', 'webgpu'] as const) {
  describe(`the choice of a token on ${backend}`, () => {
    it('refuses logits that are no numbers', async (context) => {
      const missing = await prepareBackend(backend);
      if (missing !== undefined) context.skip(missing);
      const logits = tf.tensor2d([0, Number.NaN, 1, 2], [1, 4]);
      await expect(drawTokens(logits, { temperature: 1 }, Float32Array.of(0.5))).rejects.toThrow(/no numbers/);
      logits.dispose();
    });

    it('gives the log-probability of a token that the model all but excludes', async (context) => {
      const missing = await prepareBackend(backend);
      if (missing !== undefined) context.skip(missing);
      const logits = tf.tensor2d([0, -200, 0, -90], [2, 2]);
      const { tokens, logprobs } = await drawTokens(logits, { temperature: 100 }, Float32Array.of(0.99, 0.99));
      logits.dispose();
      expect([...tokens]).toEqual([1, 1]);
      expect([...logprobs]).toEqual([-200, -90]);
    });

    it('draws in the last block of a vocabulary that blocks do not fill, and none that is left out', async (context) => {
      const missing = await prepareBackend(backend);
      if (missing !== undefined) context.skip(missing);
      // All that is likely are tokens 2, 130 and 299 of 300.
      const scores = new Float32Array(300).fill(-200);
      for (const token of [2, 130, 299]) scores[token] = 1;
      const logits = tf.tensor2d(scores, [1, 300]);
      const drawn: number[] = [];
      for (const uniform of [0, 0.3, 0.34, 0.66, 0.67, 0.9999999, 1]) {
        drawn.push((await drawTokens(logits, { temperature: 1 }, Float32Array.of(uniform))).tokens[0]!);
      }
      expect(drawn).toEqual([2, 2, 130, 130, 299, 299, 299]);
      logits.dispose();
    });

    it.for(golden.cases)(
      '$name leaves the probabilities of transformers',
      async ({ choice, probabilities }, context) => {
        const missing = await prepareBackend(backend);
        if (missing !== undefined) context.skip(missing);
        const logits = tf.tensor2d(golden.logits);
        const penalized = await penalizeRepetition(logits, golden.present, choice.repetitionPenalty ?? 1);
        const left = tf.softmax(await filterLogits(penalized, { temperature: 1, ...choice }));
        const values = (await left.array()) as number[][];
        for (const [row, expected] of probabilities.entries()) {
          // float32 softmax in another order of sums.
          for (const [token, value] of expected.entries()) expect(values[row]![token]).toBeCloseTo(value, 6);
        }
      },
    );

    // A hundred thousand draws, for which a software driver takes minutes; they go through the same code.
    if (backend === 'webgpu') return;
    it.for(golden.cases)('$name is drawn as often as it is likely', async ({ choice, probabilities }, context) => {
      const missing = await prepareBackend(backend);
      if (missing !== undefined) context.skip(missing);
      for (const [row, expected] of probabilities.entries()) {
        const one = tf.tensor2d([golden.logits[row]!]);
        const penalized = await penalizeRepetition(one, [golden.present[row]!], choice.repetitionPenalty ?? 1);
        const many = tf.tile(penalized, [DRAWS / 10, 1]);
        const seen = new Array<number>(expected.length).fill(0);
        for (let part = 0; part < 10; part++) {
          const uniforms = Float32Array.from({ length: DRAWS / 10 }, (_, at) => uniformOf(['draw', row, part, at]));
          const { tokens } = await drawTokens(many, { temperature: 1, ...choice }, uniforms);
          for (const token of tokens) seen[token]! += 1;
        }
        for (const [token, probability] of expected.entries()) if (probability === 0) expect(seen[token]).toBe(0);
        const { value, degrees } = chiSquare(seen, expected);
        expect(value, `row ${row}, ${degrees} degrees of freedom`).toBeLessThan(chiSquareBound(degrees));
        tf.dispose([one, penalized, many]);
      }
    });
  });
}
