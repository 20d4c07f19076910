import type { MetaBuffer, MetaFeatures } from '@metaapo/core/contracts';
import { MetaapoError } from '@metaapo/core/contracts';

/**
 * mean(w * offlineLoss + (1 - w) * onlineLoss) over the rows of a checked buffer; `weights` is `[B]`.
 *
 * The objective of the policy and of the meta-learner alike: MetaAPO, arXiv 2509.23371.
 */
export function metaObjective(weights: Float32Array, buffer: MetaBuffer): number {
  const { offlineLoss, onlineLoss } = buffer;
  const sum = weights.reduce((total, w, row) => total + w * offlineLoss[row]! + (1 - w) * onlineLoss[row]!, 0);
  return sum / weights.length;
}

/**
 * 1 where the offline pair has the lower loss, 0 where the online pair has it, 0.5 where they are equal: for one row
 * the weight that lowers the objective most. `[B]`, checked buffer.
 */
export function lowerLossOutcomes(buffer: MetaBuffer): Float32Array {
  return buffer.offlineLoss.map((offline, row) => (1 - Math.sign(offline - buffer.onlineLoss[row]!)) / 2);
}

/** @throws MetaapoError with code `numerics` when a score is not finite. */
export function checkFeatures(learner: string, features: MetaFeatures): void {
  requireFinite(learner, 'logSigmoidScore', features.logSigmoidScore);
}

/** @throws MetaapoError with code `numerics` when the buffer is empty, or its losses and scores are not B finite numbers each. */
export function checkBuffer(learner: string, buffer: MetaBuffer): void {
  const rows = buffer.logSigmoidScore.length;
  for (const name of ['logSigmoidScore', 'offlineLoss', 'onlineLoss'] as const) {
    const values = buffer[name];
    if (rows === 0 || values.length !== rows) {
      throw new MetaapoError('numerics', `${name} does not have one value for each row`, {
        where: `update of meta-learner ${learner}`,
        expected: rows === 0 ? 'at least one row' : `${rows} values`,
        got: `${values.length} values`,
        remedy: 'Update only when rows with both pairs have been trained since the last update',
      });
    }
    requireFinite(learner, name, values);
  }
}

function requireFinite(learner: string, name: string, values: Float32Array): void {
  const row = values.findIndex((value) => !Number.isFinite(value));
  if (row < 0) return;
  throw new MetaapoError('numerics', `${name} is not finite in row ${row} of ${values.length}`, {
    where: `meta-learner ${learner}`,
    expected: 'a finite number',
    got: String(values[row]),
    remedy: 'Lower the learning rate of the policy, or look at the row that the trainer names',
  });
}
