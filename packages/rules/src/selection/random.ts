import type { SelectionRule } from '@metaapo/core/contracts';
import { definePart, parseOptions, SELECTION_RULE } from '@metaapo/core/contracts';
import { z } from 'zod';
import { defineRule } from './define-rule.js';

const schema = z.strictObject({
  share: z.number().min(0).max(1).default(0.5).describe('Probability that a prompt is selected; 0.5 is a fair coin.'),
});

/** Options of {@link random}. */
export type RandomOptions = z.input<typeof schema>;

/**
 * Each prompt with the same probability, whatever its score: those with u >= 1 - share.
 *
 * Each row is decided alone, so the number selected varies about share * B. The prompts are those that `meta` selects
 * under the constant weight 1 - share. Over the limit the rows with the largest u stay.
 * @throws MetaapoError with code `config` for an option that is unknown or out of bounds
 */
export function random(options: RandomOptions = {}): SelectionRule {
  const settings = parseOptions('selection rule random', schema, options);
  return defineRule({
    id: 'random',
    options: settings,
    readsScores: false,
    prefer: ({ uniforms }) => ({
      isEligible: (at) => uniforms[at]! >= 1 - settings.share,
      priority: (at) => uniforms[at]!,
    }),
  });
}

/** {@link random} as a part. */
export const randomPart = definePart({
  slot: SELECTION_RULE,
  id: 'random',
  summary: 'Each prompt with the same probability, without scores.',
  options: schema,
  create: random,
});
