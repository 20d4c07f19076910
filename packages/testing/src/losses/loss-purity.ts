import type { PairLogprobs, PreferenceLoss } from '@metaapo/core/contracts';
import type { Tensor } from '@tensorflow/tfjs';
import * as tf from '@tensorflow/tfjs';
import { ConformanceError } from '../conformance-error.js';
import { firstDifference } from '../same-values.js';
import { lossName, lossValues, OUTPUTS, readLosses, toLogprobs } from './evaluate-loss.js';
import { fivePairs, swapped } from './pair-arrays.js';

/**
 * Passes when the same pairs give the same bits, whatever was computed in between, and the inputs stay as they were.
 * @throws ConformanceError that names the output or the input
 */
export async function checkLossPurity(loss: PreferenceLoss): Promise<void> {
  const pairs = fivePairs(loss);
  const first = await lossValues(loss, pairs);
  await lossValues(loss, swapped(pairs));
  const logprobs = toLogprobs(loss, pairs);
  const again = await readLosses(tf.tidy(() => ({ ...loss.compute(logprobs) })));
  for (const name of OUTPUTS) {
    const at = firstDifference(again[name], first[name]);
    if (at === undefined) continue;
    const values = `${first[name][at]}, then ${again[name][at]}`;
    throw new ConformanceError(lossName(loss), `the same pairs give another ${name} the second time: ${values}`);
  }
  for (const [name, tensor] of Object.entries(logprobs) as [keyof PairLogprobs, Tensor][]) {
    if (tensor.isDisposed) throw new ConformanceError(lossName(loss), `it disposes ${name}, which it only borrows`);
    const values = Float32Array.from(await tensor.data());
    if (firstDifference(values, pairs[name]!) !== undefined) {
      throw new ConformanceError(lossName(loss), `it changes its input ${name}`);
    }
  }
  tf.dispose({ ...logprobs });
}

/**
 * Passes when four tensors come out and none stays behind, also when the loss throws.
 * @throws ConformanceError with the number of tensors left
 */
export async function checkLossLeaks(loss: PreferenceLoss): Promise<void> {
  const pairs = fivePairs(loss);
  // The first call may fill caches of the backend.
  await lossValues(loss, pairs);
  checkOwnership(loss, toLogprobs(loss, pairs));
  const short = tf.tensor1d([-1, -2]);
  const whole = toLogprobs(loss, pairs);
  checkThrowing(loss, { ...whole, policyRejected: short }, 'policyRejected has the wrong shape');
  if (!loss.isReferenceFree) {
    const { referenceChosen, referenceRejected, ...rest } = whole;
    checkThrowing(loss, rest, 'the reference is missing');
  }
  const { chosenTokens, rejectedTokens, ...rest } = whole;
  checkThrowing(loss, rest, 'the numbers of tokens are missing');
  tf.dispose([short]);
  tf.dispose({ ...whole });
}

function checkOwnership(loss: PreferenceLoss, logprobs: PairLogprobs): void {
  const before = tf.memory().numTensors;
  const losses = loss.compute(logprobs);
  for (const name of OUTPUTS) {
    const input = Object.entries(logprobs).find(([, tensor]) => tensor === losses[name]);
    if (input !== undefined) {
      throw new ConformanceError(
        lossName(loss),
        `${name} is its input ${input[0]} itself; the caller would dispose both`,
      );
    }
  }
  tf.dispose({ ...losses });
  const left = tf.memory().numTensors - before;
  tf.dispose({ ...logprobs });
  if (left !== 0) throw new ConformanceError(lossName(loss), `it leaks ${left} tensors at each call`);
}

function checkThrowing(loss: PreferenceLoss, logprobs: PairLogprobs, when: string): void {
  const before = tf.memory().numTensors;
  try {
    tf.dispose({ ...loss.compute(logprobs) });
  } catch {
    // What it throws is another check's affair.
  }
  const left = tf.memory().numTensors - before;
  if (left !== 0) throw new ConformanceError(lossName(loss), `it leaks ${left} tensors when ${when}`);
}
