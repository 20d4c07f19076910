import type { SelectionRule } from '@metaapo/core/contracts';
import { definePart, parseOptions, SELECTION_RULE } from '@metaapo/core/contracts';
import { z } from 'zod';
import { defineRule } from './define-rule.js';

const schema = z.strictObject({});

/** Options of {@link none}: none. */
export type NoneOptions = z.input<typeof schema>;

/**
 * No prompt: training on the offline pairs alone.
 * @throws MetaapoError with code `config` for any option
 */
export function none(options: NoneOptions = {}): SelectionRule {
  return defineRule({
    id: 'none',
    options: parseOptions('selection rule none', schema, options),
    readsScores: false,
    prefer: () => ({ isEligible: () => false, priority: () => 0 }),
  });
}

/** {@link none} as a part. */
export const nonePart = definePart({
  slot: SELECTION_RULE,
  id: 'none',
  summary: 'No prompt: training on offline pairs alone.',
  options: schema,
  create: none,
});
