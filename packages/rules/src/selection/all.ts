import type { SelectionRule } from '@metaapo/core/contracts';
import { definePart, parseOptions, SELECTION_RULE } from '@metaapo/core/contracts';
import { z } from 'zod';
import { defineRule } from './define-rule.js';

const schema = z.strictObject({});

/** Options of {@link all}: none. */
export type AllOptions = z.input<typeof schema>;

/**
 * Every prompt: online preference optimisation.
 *
 * Over the limit the rows with the largest draw u stay, so that the limit favours no part of the slice.
 * @throws MetaapoError with code `config` for any option
 */
export function all(options: AllOptions = {}): SelectionRule {
  return defineRule({
    id: 'all',
    options: parseOptions('selection rule all', schema, options),
    readsScores: false,
    prefer: ({ uniforms }) => ({ isEligible: () => true, priority: (at) => uniforms[at]! }),
  });
}

/** {@link all} as a part. */
export const allPart = definePart({
  slot: SELECTION_RULE,
  id: 'all',
  summary: 'Every prompt: online preference optimisation.',
  options: schema,
  create: all,
});
