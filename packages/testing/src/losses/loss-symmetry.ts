import type { PreferenceLoss } from '@metaapo/core/contracts';
import { ConformanceError } from '../conformance-error.js';
import { firstDisagreement, inOrder } from '../same-values.js';
import { type LossValues, lossName, lossValues, meanOf, OUTPUTS } from './evaluate-loss.js';
import { fivePairs, moved, pairsInOrder, swapped } from './pair-arrays.js';

/** Room for kernels that compute the last entries of an array by another instruction than the rest. */
const TOLERANCE = 1e-5;

/**
 * Passes when swapping chosen and rejected reverses the score up to one constant, and the score grows with log p(chosen).
 * @throws ConformanceError that names the scores
 */
export async function checkLossSwap(loss: PreferenceLoss): Promise<void> {
  const pairs = fivePairs(loss);
  const { score } = await lossValues(loss, pairs);
  const back = await lossValues(loss, swapped(pairs));
  const sums = score.map((value, at) => value + back.score[at]!);
  const at = firstDisagreement(sums, new Float32Array(sums.length).fill(sums[0]!), 1e-4);
  if (at !== undefined) {
    const got = `${sums[0]} for pair 0 and ${sums[at]} for pair ${at}`;
    throw new ConformanceError(
      lossName(loss),
      `swapping chosen and rejected does not reverse the score: the two scores add up to ${got}`,
    );
  }
  const raised = await lossValues(loss, moved(pairs, ['policyChosen'], 0.25));
  const fallen = score.findIndex((value, pair) => !(raised.score[pair]! > value));
  if (fallen >= 0) {
    throw new ConformanceError(lossName(loss), `its score does not grow with log p(chosen), in pair ${fallen}`);
  }
}

/**
 * Passes when permuting the pairs permutes what the loss says of them; of a loss that declares `ranksPairs` only the mean
 * of `perPair` has to stay.
 * @throws ConformanceError that names the output
 */
export async function checkLossPermutation(loss: PreferenceLoss): Promise<void> {
  const pairs = fivePairs(loss);
  const order = [3, 0, 4, 2, 1];
  const plain = await lossValues(loss, pairs);
  const permuted = await lossValues(loss, pairsInOrder(pairs, order));
  for (const name of OUTPUTS) {
    const isRanked = name === 'perPair' && loss.ranksPairs === true;
    const expected = isRanked ? [meanOf(plain[name])] : inOrder(plain[name], order);
    const got = isRanked ? [meanOf(permuted[name])] : permuted[name];
    if (firstDisagreement(got, expected, TOLERANCE) === undefined) continue;
    const remedy = name === 'perPair' && !isRanked ? '; declare ranksPairs if its entries belong to ranks' : '';
    const what = isRanked ? 'changes the mean of' : 'does not permute';
    throw new ConformanceError(lossName(loss), `permuting the pairs ${what} ${name}${remedy}`);
  }
}

/**
 * Passes when every pair alone gives what it gives in a batch; `perPair` of a loss that declares `couplesPairs` excepted.
 * @throws ConformanceError that names the output
 */
export async function checkLossCoupling(loss: PreferenceLoss): Promise<void> {
  const pairs = fivePairs(loss);
  const together = await lossValues(loss, pairs);
  const names = OUTPUTS.filter((name) => name !== 'perPair' || loss.couplesPairs !== true);
  for (const at of pairs.policyChosen.keys()) {
    const alone = await lossValues(loss, pairsInOrder(pairs, [at]));
    for (const name of names) checkAlone(loss, name, at, alone, together);
  }
}

function checkAlone(
  loss: PreferenceLoss,
  name: keyof LossValues,
  at: number,
  alone: LossValues,
  together: LossValues,
): void {
  if (firstDisagreement(alone[name], [together[name][at]!], TOLERANCE) === undefined) return;
  const values = `${alone[name][0]} alone, ${together[name][at]} among five`;
  const remedy = name === 'perPair' ? '; declare couplesPairs if it is meant to' : '';
  throw new ConformanceError(lossName(loss), `${name} of pair ${at} depends on the other pairs: ${values}${remedy}`);
}
