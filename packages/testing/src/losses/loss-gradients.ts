import type { PreferenceLoss } from '@metaapo/core/contracts';
import * as tf from '@tensorflow/tfjs';
import { ConformanceError } from '../conformance-error.js';
import { firstDisagreement } from '../same-values.js';
import { lossGradients, lossName, lossValues, weightedSum } from './evaluate-loss.js';
import type { LossFlags } from './loss-flags.js';
import { fivePairs, type PairArrays, sweptPairs } from './pair-arrays.js';

const STEP = 1 / 32;
const EPSILON = 2 ** -23;
const SIDES = { policyChosen: 'chosen', policyRejected: 'rejected' } as const;

type Side = keyof typeof SIDES;

/** A function of one log-probability, at steps from where it stands. */
interface Stencil {
  readonly farBelow: number;
  readonly below: number;
  readonly here: number;
  readonly above: number;
  readonly farAbove: number;
}

/**
 * Passes when the gradient agrees with central finite differences, over margins of both signs.
 * @throws ConformanceError that names the pair and both slopes
 */
export async function checkLossGradients(loss: PreferenceLoss, flags: LossFlags = {}): Promise<void> {
  const pairs = loss.couplesPairs ? fivePairs(loss) : sweptPairs(loss);
  // Distinct coefficients tell a gradient of this pair from one of another.
  const coefficients = pairs.policyChosen.map((_, at) => 1 + (at % 4) / 4);
  const gradients = await lossGradients(loss, pairs, weightedSum(coefficients));
  for (const side of Object.keys(SIDES) as Side[]) {
    const gradient = gradients[SIDES[side]];
    const stencils = await (loss.couplesPairs ? coupled : separate)(loss, pairs, side, coefficients);
    stencils.forEach((stencil, at) => {
      const fault = slopeFault(stencil, gradient[at]!, Math.abs(pairs[side][at]!), flags.isSmooth !== false);
      if (fault === undefined) return;
      const where = `log p(${SIDES[side]}) ${pairs[side][at]} of pair ${at}`;
      throw new ConformanceError(
        lossName(loss),
        `its gradient disagrees with finite differences at ${where}: ${fault}`,
      );
    });
  }
}

/** All pairs are stepped at once: the loss of one does not depend on another. */
async function separate(
  loss: PreferenceLoss,
  pairs: PairArrays,
  side: Side,
  coefficients: Float32Array,
): Promise<Stencil[]> {
  const at = async (steps: number): Promise<Float32Array> => {
    const moved = { ...pairs, [side]: pairs[side].map((value) => value + steps * STEP) };
    const { perPair } = await lossValues(loss, moved);
    return perPair.map((value, index) => value * coefficients[index]!);
  };
  const [farBelow, below, here, above, farAbove] = [await at(-2), await at(-1), await at(0), await at(1), await at(2)];
  return Array.from(coefficients, (_, index) => ({
    farBelow: farBelow[index]!,
    below: below[index]!,
    here: here[index]!,
    above: above[index]!,
    farAbove: farAbove[index]!,
  }));
}

/** One pair is stepped at a time, and the weighted sum of all is looked at. */
async function coupled(
  loss: PreferenceLoss,
  pairs: PairArrays,
  side: Side,
  coefficients: Float32Array,
): Promise<Stencil[]> {
  const stencils: Stencil[] = [];
  for (const index of coefficients.keys()) {
    const at = async (steps: number): Promise<number> => {
      const moved = { ...pairs, [side]: pairs[side].with(index, pairs[side][index]! + steps * STEP) };
      const { perPair } = await lossValues(loss, moved);
      return perPair.reduce((sum, value, pair) => sum + value * coefficients[pair]!, 0);
    };
    stencils.push({
      farBelow: await at(-2),
      below: await at(-1),
      here: await at(0),
      above: await at(1),
      farAbove: await at(2),
    });
  }
  return stencils;
}

/**
 * What is wrong with a gradient. Tolerance: rounding of the loss and of its margin, which the division by the step
 * enlarges; and the truncation error of the difference, which is a third of what doubling the step changes.
 */
function slopeFault(stencil: Stencil, gradient: number, input: number, isSmooth: boolean): string | undefined {
  const { farBelow, below, here, above, farAbove } = stencil;
  const central = (above - below) / (2 * STEP);
  const doubled = (farAbove - farBelow) / (4 * STEP);
  const rounding = (8 * EPSILON * (1 + Math.abs(here) + input * Math.abs(central))) / STEP;
  const tolerance = rounding + Math.abs(doubled - central) + 1e-3 * Math.abs(central);
  const slopes = isSmooth ? [central] : [(here - below) / STEP, central, (above - here) / STEP];
  const [least, most] = [Math.min(...slopes) - tolerance, Math.max(...slopes) + tolerance];
  if (gradient >= least && gradient <= most) return undefined;
  return `gradient ${gradient}, difference ${central}, tolerance ${tolerance.toPrecision(2)}`;
}

/**
 * Passes when no gradient flows through the implicit rewards.
 * @throws ConformanceError that names the rewards
 */
export async function checkLossRewardsDetached(loss: PreferenceLoss): Promise<void> {
  const pairs = fivePairs(loss);
  const plain = await lossGradients(loss, pairs, ({ perPair }) => tf.sum(perPair));
  for (const name of ['chosenRewards', 'rejectedRewards'] as const) {
    const more = await lossGradients(loss, pairs, (losses) =>
      tf.add(tf.sum(losses.perPair), tf.mul(tf.sum(losses[name]), 100)),
    );
    for (const side of ['chosen', 'rejected'] as const) {
      if (firstDisagreement(more[side], plain[side], 1e-5) === undefined) continue;
      throw new ConformanceError(lossName(loss), `${name} are not detached: a gradient flows through them`);
    }
  }
}
