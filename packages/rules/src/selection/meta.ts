import type { SelectionRule } from '@metaapo/core/contracts';
import { definePart, parseOptions, SELECTION_RULE } from '@metaapo/core/contracts';
import { z } from 'zod';
import { defineRule } from './define-rule.js';

const schema = z.strictObject({});

/** Options of {@link meta}: none. */
export type MetaOptions = z.input<typeof schema>;

/**
 * The method's rule: a prompt goes online iff u > w, so with probability 1 - w.
 *
 * Over the limit the rows with the largest (u - w) / (1 - w) stay. Among selected rows that is uniform whatever their w,
 * so that the limit thins them out evenly: a row stays with a probability in proportion to 1 - w.
 * MetaAPO, arXiv 2509.23371. Here the draw is keyed by row, not by order of arrival.
 * @throws MetaapoError with code `config` for any option
 */
export function meta(options: MetaOptions = {}): SelectionRule {
  return defineRule({
    id: 'meta',
    options: parseOptions('selection rule meta', schema, options),
    readsScores: true,
    prefer: ({ uniforms, weights }) => ({
      isEligible: (at) => uniforms[at]! > weights[at]!,
      priority: (at) => (uniforms[at]! - weights[at]!) / (1 - weights[at]!),
    }),
  });
}

/** {@link meta} as a part. */
export const metaPart = definePart({
  slot: SELECTION_RULE,
  id: 'meta',
  summary: 'Each prompt with probability 1 - w; the method’s own.',
  options: schema,
  create: meta,
});
