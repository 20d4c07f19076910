import type { PreferenceLoss } from '@metaapo/core/contracts';
import * as tf from '@tensorflow/tfjs';
import { ConformanceError } from '../conformance-error.js';
import { refusal } from '../refusal.js';
import { firstDifference } from '../same-values.js';
import { lossName, lossValues, OUTPUTS } from './evaluate-loss.js';
import { fivePairs } from './pair-arrays.js';

/**
 * Passes when a loss that is reference-free does not read the reference, and any other reads it and refuses to go
 * without, by a MetaapoError with code `config`.
 * @throws ConformanceError that says what the loss did instead
 */
export async function checkLossReference(loss: PreferenceLoss): Promise<void> {
  await tf.ready();
  await (loss.isReferenceFree ? checkUnread(loss) : checkNeeded(loss));
}

async function checkUnread(loss: PreferenceLoss): Promise<void> {
  const pairs = fivePairs(loss);
  const plain = await lossValues(loss, pairs);
  const nothing = new Float32Array(pairs.policyChosen.length).fill(Number.NaN);
  const blind = await lossValues(loss, { ...pairs, referenceChosen: nothing, referenceRejected: nothing }, true);
  for (const name of OUTPUTS) {
    if (firstDifference(blind[name], plain[name]) === undefined) continue;
    throw new ConformanceError(lossName(loss), `it declares isReferenceFree, yet ${name} reads the reference`);
  }
}

async function checkNeeded(loss: PreferenceLoss): Promise<void> {
  const pairs = fivePairs(loss);
  const name = lossName(loss);
  const error = await refusal(name, 'without a reference', () => lossValues(loss, pairs, false));
  if (error === undefined) {
    throw new ConformanceError(name, 'it computes without a reference; declare isReferenceFree, or refuse');
  }
  if (error.code !== 'config') {
    throw new ConformanceError(name, `without a reference its error has code ${error.code}, expected config`);
  }
  const plain = await lossValues(loss, pairs);
  const moved = await lossValues(loss, { ...pairs, referenceChosen: pairs.referenceChosen.map((value) => value + 1) });
  if (OUTPUTS.every((output) => firstDifference(moved[output], plain[output]) === undefined)) {
    throw new ConformanceError(name, 'it asks for a reference and never reads it; declare isReferenceFree');
  }
}
