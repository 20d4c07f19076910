import type { MetaLearner } from '@metaapo/core/contracts';
import { definePart, META_LEARNER, parseOptions } from '@metaapo/core/contracts';
import { z } from 'zod';
import { fixedWeights } from './fixed-weights.js';
import { checkFeatures } from './meta-objective.js';

const schema = z.strictObject({});

/** Options of {@link sigmoid}: none. */
export type SigmoidOptions = z.input<typeof schema>;

/**
 * w = sigmoid(x) for x = logsigmoid(s), so in (0, 0.5]; it learns nothing and has no state. What the reference code
 * trains with under its flag `--no_meta_weight`: -4 gives 0.018, 0 gives 0.333, +4 gives 0.495.
 * @throws MetaapoError with code `config` for any option
 */
export function sigmoid(options: SigmoidOptions = {}): MetaLearner {
  return fixedWeights('sigmoid', parseOptions('meta-learner sigmoid', schema, options), (features) => {
    checkFeatures('sigmoid', features);
    return features.logSigmoidScore.map((x) => 1 / (1 + Math.exp(-x)));
  });
}

/** {@link sigmoid} as a part. */
export const sigmoidPart = definePart({
  slot: META_LEARNER,
  id: 'sigmoid',
  summary: 'The sigmoid of the log-sigmoid of the score; learns nothing.',
  options: schema,
  create: sigmoid,
});
