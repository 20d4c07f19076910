import type { SelectionRule } from '@metaapo/core/contracts';
import { definePart, parseOptions, SELECTION_RULE } from '@metaapo/core/contracts';
import { z } from 'zod';
import { defineRule } from './define-rule.js';

const schema = z.strictObject({
  minWeight: z
    .number()
    .min(0)
    .max(1)
    .default(0.5)
    .describe('Weight from which on an offline pair is enough. Larger selects more prompts.'),
});

/** Options of {@link threshold}. */
export type ThresholdOptions = z.input<typeof schema>;

/**
 * Every prompt with w < `minWeight`, without chance.
 *
 * Over the limit the rows with the smallest w stay.
 * @throws MetaapoError with code `config` for an option that is unknown or out of bounds
 */
export function threshold(options: ThresholdOptions = {}): SelectionRule {
  const settings = parseOptions('selection rule threshold', schema, options);
  return defineRule({
    id: 'threshold',
    options: settings,
    readsScores: true,
    prefer: ({ weights }) => ({
      isEligible: (at) => weights[at]! < settings.minWeight,
      priority: (at) => -weights[at]!,
    }),
  });
}

/** {@link threshold} as a part. */
export const thresholdPart = definePart({
  slot: SELECTION_RULE,
  id: 'threshold',
  summary: 'Each prompt whose weight lies below a bound.',
  options: schema,
  create: threshold,
});
