import type { MetaLearner, PartDefinition } from '@metaapo/core/contracts';
import { definePart, META_LEARNER, parseOptions } from '@metaapo/core/contracts';
import { z } from 'zod';
import { fixedWeights } from './fixed-weights.js';

/** Options of {@link constant}. */
export interface ConstantOptions {
  /** The weight of every offline pair, 0 to 1; default 0.5. Larger trusts offline pairs more. */
  readonly weight?: number | undefined;
}

const schema = z.strictObject({ weight: z.number().min(0).max(1).default(0.5) });

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
export const constantPart: PartDefinition<MetaLearner, ConstantOptions> = definePart<MetaLearner, ConstantOptions>({
  slot: META_LEARNER,
  id: 'constant',
  summary: 'The same weight for every pair; learns nothing.',
  options: schema,
  create: (options) => constant(options),
});
