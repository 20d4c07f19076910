import type { PreferenceLoss } from '@metaapo/core/contracts';
import * as tf from '@tensorflow/tfjs';
import { ConformanceError } from '../conformance-error.js';
import { refusal } from '../refusal.js';
import { firstDifference, firstDisagreement } from '../same-values.js';
import { type LossValues, lossName, lossValues, OUTPUTS } from './evaluate-loss.js';
import { fivePairs, moved } from './pair-arrays.js';

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
  const blind = await lossValues(
    loss,
    { ...pairs, referenceChosen: nothing, referenceRejected: nothing },
    { reference: true },
  );
  for (const name of OUTPUTS) {
    if (firstDifference(blind[name], plain[name]) === undefined) continue;
    throw new ConformanceError(lossName(loss), `it declares isReferenceFree, yet ${name} reads the reference`);
  }
}

async function checkNeeded(loss: PreferenceLoss): Promise<void> {
  const pairs = fivePairs(loss);
  const name = lossName(loss);
  const error = await refusal(name, 'without a reference', () => lossValues(loss, pairs, { reference: false }));
  if (error === undefined) {
    throw new ConformanceError(name, 'it computes without a reference; declare isReferenceFree, or refuse');
  }
  if (error.code !== 'config') {
    throw new ConformanceError(name, `without a reference its error has code ${error.code}, expected config`);
  }
  const plain = await lossValues(loss, pairs);
  const other = await lossValues(loss, moved(pairs, ['referenceChosen'], 1));
  const isUnread = (output: keyof LossValues): boolean => firstDifference(other[output], plain[output]) === undefined;
  if (OUTPUTS.every(isUnread)) {
    throw new ConformanceError(name, 'it asks for a reference and never reads it; declare isReferenceFree');
  }
  if (isUnread('score'))
    throw new ConformanceError(name, 'its score ignores the reference that its loss is measured by');
}

/** A power of two, so that what is added to policy and reference cancels in float32. */
const SHIFT = 4;

/**
 * Passes when adding one number to the log-probabilities of a side, under policy and reference alike, leaves score and
 * rewards as they are: only the ratio of policy to reference counts. A loss without reference passes.
 * @throws ConformanceError that names the output and the side
 */
export async function checkLossShift(loss: PreferenceLoss): Promise<void> {
  if (loss.isReferenceFree) return;
  const pairs = fivePairs(loss);
  const plain = await lossValues(loss, pairs);
  for (const side of ['Chosen', 'Rejected'] as const) {
    const shifted = await lossValues(loss, moved(pairs, [`policy${side}`, `reference${side}`], SHIFT));
    for (const name of ['score', 'chosenRewards', 'rejectedRewards'] as const) {
      const at = firstDisagreement(shifted[name], plain[name], 1e-5);
      if (at === undefined) continue;
      const fault = `adding ${SHIFT} to log p and log r of ${side.toLowerCase()} changes ${name} of pair ${at}`;
      const values = `from ${plain[name][at]} to ${shifted[name][at]}`;
      throw new ConformanceError(lossName(loss), `${fault} ${values}: it is no function of policy over reference`);
    }
  }
}
