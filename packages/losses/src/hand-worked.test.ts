import type { PairLosses, PreferenceLoss } from '@metaapo/core/contracts';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, expect, it } from 'vitest';
import * as losses from './index.js';

beforeAll(() => tf.setBackend('cpu'));

type Inputs = Readonly<Record<'c' | 'j' | 'referenceC' | 'referenceJ' | 'tokensC' | 'tokensJ', readonly number[]>>;

/** Sums of one pair: r_c = 1, r_j = -1, h = 2, c - j = 3; means a token -3 and -3. */
const SUMS: Inputs = { c: [-12], j: [-15], referenceC: [-13], referenceJ: [-14], tokensC: [4], tokensJ: [5] };
/** Means of one pair: r_c = 0.5, r_j = -0.5, h = c - j = 1. */
const MEANS: Inputs = { c: [-1], j: [-2], referenceC: [-1.5], referenceJ: [-1.5], tokensC: [4], tokensJ: [5] };
/** Sums of two pairs: margins 3 and -8 under the policy, 1 and -3 under the reference; r_c = 1, -2 and r_j = -1, 3. */
const TWO: Inputs = {
  c: [-12, -30],
  j: [-15, -22],
  referenceC: [-13, -28],
  referenceJ: [-14, -25],
  tokensC: [4, 10],
  tokensJ: [5, 8],
};
/** Rewards 2 and 1. */
const REWARDS: Inputs = { ...SUMS, c: [2], j: [1] };

/** Everything at log-probability 0. */
const ZERO: Inputs = { c: [0], j: [0], referenceC: [0], referenceJ: [0], tokensC: [4], tokensJ: [5] };

function perPair(loss: PreferenceLoss, { c, j, referenceC, referenceJ, tokensC, tokensJ }: Inputs): readonly number[] {
  const tensor = (values: readonly number[]): tf.Tensor1D => tf.tensor1d([...values]);
  const of = (): PairLosses =>
    loss.compute({
      policyChosen: tensor(c),
      policyRejected: tensor(j),
      referenceChosen: tensor(referenceC),
      referenceRejected: tensor(referenceJ),
      chosenTokens: tensor(tokensC),
      rejectedTokens: tensor(tokensJ),
    });
  return tf.tidy(() => [...of().perPair.dataSync()]);
}

const { weightedSum, dpo, nll } = losses;

/** sp(x) = log(1 + exp x): sp(-0.2) = 0.598139, sp(0.2) = 0.798139, sp(-0.5) = 0.474077, sp(0.5) = 0.974077. */
const CASES: readonly (readonly [name: string, loss: PreferenceLoss, inputs: Inputs, expected: readonly number[]])[] = [
  // sp(-0.1 * 2)
  ['dpo', dpo({ beta: 0.1 }), SUMS, [0.598139]],
  // 0.9 * 0.598139 + 0.1 * 0.798139
  ['dpo, label smoothing', dpo({ beta: 0.1, labelSmoothing: 0.1 }), SUMS, [0.618139]],
  // c - j = 3: sp(-0.3)
  ['dpo, reference-free', dpo({ beta: 0.1, referenceFree: true }), SUMS, [0.554355]],
  // sp(1) - sp(-1) = 1: sp(-0.1)
  ['dpo, JS', dpo({ beta: 0.1, fDivergence: { kind: 'js' } }), SUMS, [0.644397]],
  // (exp(0.5) - exp(-0.5)) / 0.5 = 2.084381: sp(-0.2084381)
  ['dpo, alpha 1/2', dpo({ beta: 0.1, fDivergence: { kind: 'alpha', alpha: 0.5 } }), SUMS, [0.594349]],
  // (0.9 * 0.598139 - 0.1 * 0.798139) / 0.8
  ['robust-dpo', losses.robustDpo({ beta: 0.1, labelSmoothing: 0.1 }), SUMS, [0.573139]],
  // p = sigmoid(0.2) = 0.549834: p log(p / 0.9) + (1 - p) log((1 - p) / 0.1)
  ['exo', losses.exo({ beta: 0.1, labelSmoothing: 0.1 }), SUMS, [0.406304]],
  // 1 - 0.25 * 2
  ['hinge', losses.hinge({ beta: 0.25 }), SUMS, [0.5]],
  // (1 - 1 / 0.2)^2
  ['ipo', losses.ipo({ beta: 0.1 }), MEANS, [16]],
  // rewards 0.5 and -0.5, their mean d = 0: 2 sp(-0.5)
  ['bco', losses.bco({ beta: 0.5 }), SUMS, [0.948154]],
  // (1 - 2)^2 + (-1 + 2)^2
  ['sppo', losses.sppo({ beta: 0.25 }), SUMS, [2]],
  // sp(-0.5) + sp(0.5) / 2 + sp(-0.5) / 2
  ['nca', losses.nca({ beta: 0.5 }), SUMS, [1.198154]],
  // sorted margins -8, 3 less -3, 1: d = -5, 2: sp(0.5), sp(-0.2)
  ['aot', losses.aot({ beta: 0.1 }), TWO, [0.974077, 0.598139]],
  // sorted r_c -2, 1 less sorted r_j -1, 3: d = -1, -2: sp(0.1), sp(0.2)
  ['aot-pair', losses.aotPair({ beta: 0.1 }), TWO, [0.744397, 0.798139]],
  // sigmoid(-0.5) + sigmoid(-0.5)
  ['apo-zero', losses.apoZero({ beta: 0.5 }), SUMS, [0.755081]],
  // sigmoid(0.5) + sigmoid(-1)
  ['apo-down', losses.apoDown({ beta: 0.5 }), SUMS, [0.891401]],
  // z = 0.2, m = sigmoid(4) = 0.982014: 0.017986 * 0.598139 + 0.982014 * exp(-0.2)
  ['discopop', losses.discopop({ beta: 0.1, tau: 0.05 }), SUMS, [0.814763]],
  // z = 2 * 1 - 0.5: sp(-1.5)
  ['simpo', losses.simpo({ beta: 2, gamma: 0.5 }), MEANS, [0.201413]],
  // sp(-0.3) + 12 / 4
  ['cpo', losses.cpo({ beta: 0.1, nllWeight: 1 }), SUMS, [3.554355]],
  // odds exp(-1) / (1 - exp(-1)) = 0.581977 and exp(-2) / (1 - exp(-2)) = 0.156518, o = 1.313262: 0.5 * sp(-o) + 1
  ['orpo', losses.orpo({ beta: 0.5, nllWeight: 1 }), MEANS, [1.119092]],
  // z_j = max(0, -1) = 0, z_c = 1: (sigmoid(-0.5) + sigmoid(0.5 * (-1 - 1))) / 2
  ['kto', losses.kto({ beta: 0.5 }), SUMS, [0.323241]],
  // sp(-2)
  ['length-normalized-dpo', losses.lengthNormalizedDpo({ beta: 2 }), MEANS, [0.126928]],
  // w = exp(-12 / 4 - 15 / 5) = 0.00247875, times sp(-0.2)
  ['wpo', losses.wpo({ beta: 0.1 }), SUMS, [0.00148264]],
  // sp(-0.2) + 12 / 4
  ['rpo', losses.rpo({ beta: 0.1, nllWeight: 1 }), SUMS, [3.598139]],
  ['nll', nll(), MEANS, [1]],
  // sp(-(2 - 1 - 0.5)) + 0.01 * (2 + 1)^2
  ['bradley-terry', losses.bradleyTerry({ margin: 0.5, centerPenalty: 0.01 }), REWARDS, [0.564077]],
  // sp(-0.2) + 0.5 * 12 / 4
  ['weighted-sum', weightedSum([{ loss: dpo({ beta: 0.1 }) }, { loss: nll(), weight: 0.5 }]), SUMS, [2.098139]],
];

it.each(CASES)('%s gives what a hand calculation gives', (_, loss, inputs, expected) => {
  for (const [at, value] of perPair(loss, inputs).entries()) {
    expect(Math.abs(value - expected[at]!), `${value} for ${expected[at]}`).toBeLessThan(1.5e-6);
  }
});

it('has a case for every loss', () => {
  const worked = new Set(CASES.map(([name]) => name.split(',')[0]));
  expect(losses.catalogue.filter(({ id }) => !worked.has(id))).toEqual([]);
});

const LOG_2 = Math.LN2;
/** Values when every log-probability is 0, so that there is neither margin nor likelihood term. */
const AT_ZERO: readonly (readonly [loss: PreferenceLoss, expected: number])[] = [
  [dpo(), LOG_2],
  [dpo({ labelSmoothing: 0.2 }), LOG_2],
  [dpo({ fDivergence: { kind: 'js' } }), LOG_2],
  [dpo({ fDivergence: { kind: 'alpha', alpha: 0.5 } }), LOG_2],
  [losses.robustDpo(), LOG_2],
  [losses.aot(), LOG_2],
  [losses.aotPair(), LOG_2],
  [losses.discopop(), (LOG_2 + 1) / 2],
  [losses.simpo({ gamma: 0 }), LOG_2],
  [losses.cpo(), LOG_2],
  [losses.orpo({ beta: 1 }), LOG_2],
  [losses.lengthNormalizedDpo(), LOG_2],
  [losses.wpo(), LOG_2],
  [losses.rpo(), LOG_2],
  [losses.bradleyTerry(), LOG_2],
  [losses.bco(), 2 * LOG_2],
  [losses.nca(), 2 * LOG_2],
  [losses.hinge(), 1],
  [losses.apoZero(), 1],
  [losses.apoDown(), 1],
  [losses.kto(), 0.5],
  [nll(), 0],
];

for (const [loss, expected] of AT_ZERO) {
  it(`${loss.id} ${JSON.stringify(loss.options)} is ${expected.toFixed(3)} without a margin`, () => {
    expect(perPair(loss, ZERO)[0]).toBeCloseTo(expected, 6);
  });
}
