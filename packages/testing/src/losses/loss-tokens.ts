import type { PreferenceLoss } from '@metaapo/core/contracts';
import * as tf from '@tensorflow/tfjs';
import { ConformanceError } from '../conformance-error.js';
import { refusal } from '../refusal.js';
import { firstDifference } from '../same-values.js';
import { type LossValues, lossName, lossValues, OUTPUTS } from './evaluate-loss.js';
import { fivePairs } from './pair-arrays.js';

/**
 * Passes when a loss that is given no numbers of tokens computes the same without them, or refuses by a MetaapoError with
 * code `config`.
 * @throws ConformanceError that says what the loss did instead
 */
export async function checkLossTokens(loss: PreferenceLoss): Promise<void> {
  await tf.ready();
  const pairs = fivePairs(loss);
  const name = lossName(loss);
  let bare: LossValues | undefined;
  const error = await refusal(name, 'without numbers of tokens', async () => {
    bare = await lossValues(loss, pairs, { tokens: false });
  });
  if (error !== undefined && error.code !== 'config') {
    throw new ConformanceError(name, `without numbers of tokens its error has code ${error.code}, expected config`);
  }
  if (bare === undefined) return;
  const full = await lossValues(loss, pairs);
  const changed = OUTPUTS.find((output) => firstDifference(bare![output], full[output]) !== undefined);
  if (changed === undefined) return;
  throw new ConformanceError(name, `without numbers of tokens it gives another ${changed}, where it should refuse`);
}
