import type { MetaLearner } from '@metaapo/core/contracts';
import { definePart, META_LEARNER, parseOptions } from '@metaapo/core/contracts';
import { z } from 'zod';
import { fixedWeights } from './fixed-weights.js';

const schema = z.strictObject({
  weight: z.number().min(0).max(1).default(0.5).describe('Weight of every offline pair. Larger trusts them more.'),
});

/** Options of {@link constant}. */
export type ConstantOptions = z.input<typeof schema>;

/**
 * The same weight for every pair; it learns nothing and has no state. With 0.5 it is the paper's ablation without a
 * meta-learner, for selection as well; `metaLearner.lossWeight` fixes the weight of the loss alone.
 * @throws MetaapoError with code `config` for an option that is unknown or out of bounds
 */
export function constant(options: ConstantOptions = {}): MetaLearner {
  const settings = parseOptions('meta-learner constant', schema, options);
  return fixedWeights('constant', settings, ({ logSigmoidScore }) =>
    new Float32Array(logSigmoidScore.length).fill(settings.weight),
  );
}

/** {@link constant} as a part. */
export const constantPart = definePart({
  slot: META_LEARNER,
  id: 'constant',
  summary: 'The same weight for every pair; learns nothing.',
  options: schema,
  create: constant,
});
