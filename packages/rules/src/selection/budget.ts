import type { SelectionRule } from '@metaapo/core/contracts';
import { definePart, parseOptions, SELECTION_RULE } from '@metaapo/core/contracts';
import { shareOf } from '@metaapo/core/numerics';
import { z } from 'zod';
import { defineRule } from './define-rule.js';

const schema = z.strictObject({
  share: z.number().min(0).max(1).describe('Share of the rows that is selected, rounded down to whole rows.'),
});

/** Options of {@link budget}. */
export type BudgetOptions = z.input<typeof schema>;

/**
 * The prompts with the largest 1 - w, as many as a share of the slice allows; always that many.
 *
 * Equal weights go by the larger draw u. A limit below the share lowers the number, by the same order.
 * @throws MetaapoError with code `config` for an option that is missing, unknown or out of bounds
 */
export function budget(options: BudgetOptions): SelectionRule {
  const settings = parseOptions('selection rule budget', schema, options);
  return defineRule({
    id: 'budget',
    options: settings,
    readsScores: true,
    prefer: ({ weights }) => ({
      isEligible: () => true,
      priority: (at) => 1 - weights[at]!,
      most: shareOf(weights.length, settings.share),
    }),
  });
}

/** {@link budget} as a part. */
export const budgetPart = definePart({
  slot: SELECTION_RULE,
  id: 'budget',
  summary: 'The share of the prompts that has the lowest weights.',
  options: schema,
  create: budget,
});
