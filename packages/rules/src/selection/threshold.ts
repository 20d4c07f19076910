import type { PartDefinition, SelectionRule } from '@metaapo/core/contracts';
import { definePart, parseOptions, SELECTION_RULE } from '@metaapo/core/contracts';
import { z } from 'zod';
import { defineRule } from './define-rule.js';

/** Options of {@link threshold}. */
export interface ThresholdOptions {
  /** Weight from which on an offline pair is enough, 0 to 1; default 0.5. Larger selects more prompts. */
  readonly minWeight?: number | undefined;
}

const schema = z.strictObject({ minWeight: z.number().min(0).max(1).default(0.5) });

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
export const thresholdPart: PartDefinition<SelectionRule, ThresholdOptions> = definePart<
  SelectionRule,
  ThresholdOptions
>({
  slot: SELECTION_RULE,
  id: 'threshold',
  summary: 'Each prompt whose weight lies below a bound.',
  options: schema,
  create: (options) => threshold(options),
});
