import type { PreferenceLoss } from '@metaapo/core/contracts';
import * as tf from '@tensorflow/tfjs';
import { ConformanceError } from '../conformance-error.js';
import { firstDisagreement } from '../same-values.js';
import { lossGradients, lossName, lossValues, meanOf } from './evaluate-loss.js';
import type { LossFlags } from './loss-flags.js';
import { fivePairs, moved, sweptPairs } from './pair-arrays.js';

/**
 * Passes when a step down the gradient prefers the chosen responses, summed over margins of both signs: log p(chosen)
 * gains on log p(rejected), and it rises unless the flags say otherwise.
 * @throws ConformanceError with the slopes
 */
export async function checkLossDirection(
  loss: PreferenceLoss,
  { raisesChosen = true, detachesTerms }: LossFlags = {},
): Promise<void> {
  const pairs = sweptPairs(loss);
  const { chosen, rejected } = await lossGradients(loss, pairs, ({ perPair }) => tf.mean(perPair));
  const slopes = { chosen: meanOf(chosen) * chosen.length, rejected: meanOf(rejected) * rejected.length };
  const shown = `dL/d log p(chosen) is ${slopes.chosen.toPrecision(3)}, dL/d log p(rejected) ${slopes.rejected.toPrecision(3)}`;
  if (!(slopes.chosen < slopes.rejected)) {
    throw new ConformanceError(lossName(loss), `it prefers the rejected response: over a sweep of margins ${shown}`);
  }
  if (!raisesChosen) return;
  if (!(slopes.chosen < 0)) {
    throw new ConformanceError(
      lossName(loss),
      `it makes chosen responses less likely: over a sweep of margins ${shown}`,
    );
  }
  if (detachesTerms) return;
  const before = meanOf((await lossValues(loss, pairs)).perPair);
  const after = meanOf((await lossValues(loss, moved(pairs, ['policyChosen'], 0.25))).perPair);
  if (after < before) return;
  const values = `${before.toPrecision(4)} before, ${after.toPrecision(4)} after`;
  throw new ConformanceError(lossName(loss), `raising log p(chosen) does not lower the mean loss: ${values}`);
}

/**
 * Passes when the reward of each side grows with its own log-probability and does not depend on the other's.
 * @throws ConformanceError that names the reward
 */
export async function checkLossRewards(loss: PreferenceLoss): Promise<void> {
  const pairs = fivePairs(loss);
  const plain = await lossValues(loss, pairs);
  for (const [side, own, other] of [
    ['Chosen', 'chosenRewards', 'rejectedRewards'],
    ['Rejected', 'rejectedRewards', 'chosenRewards'],
  ] as const) {
    const raised = await lossValues(loss, moved(pairs, [`policy${side}`], 0.25));
    const fallen = plain[own].findIndex((value, at) => !(raised[own][at]! > value));
    if (fallen >= 0) {
      const fault = `${own} does not grow with log p(${side.toLowerCase()}), in pair ${fallen}`;
      throw new ConformanceError(lossName(loss), fault);
    }
    if (firstDisagreement(raised[other], plain[other], 1e-6) !== undefined) {
      throw new ConformanceError(lossName(loss), `${other} depends on log p(${side.toLowerCase()})`);
    }
  }
}
