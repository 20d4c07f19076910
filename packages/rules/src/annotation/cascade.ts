import type { AnnotationCandidate, AnnotationRule, PartDefinition, RewardModel } from '@metaapo/core/contracts';
import { ANNOTATION_RULE, deepFrozen, definePart, parseOptions } from '@metaapo/core/contracts';
import { z } from 'zod';
import { rewardsBy, spreadOf, unscored } from './candidate-rewards.js';
import { inspectScorers, makeScorers, scorerSchema } from './make-scorers.js';

const FIRST = 'first';

const settingsSchema = z.strictObject({
  clearBy: z
    .number()
    .positive()
    .max(1e6)
    .describe(
      'Best less worst reward of the cheap one, in its units, from which on its rewards stand. Larger asks the other more.',
    ),
});

const schema = settingsSchema.extend({
  first: scorerSchema.describe('The cheap reward model: its id with its own options.'),
});

/** Options of the part `cascade`. */
export type CascadeOptions = z.input<typeof schema>;

/**
 * Scores all responses to a prompt by a cheap reward model first. Where it tells the best from the worst by `clearBy`, its
 * rewards make the pair; only where it does not, the run's own reward model scores all responses, and its rewards make the
 * pair. Rewards of the two are never compared; means over rows hold both, so give both on one scale where means matter.
 * @param first the cheap reward model, owned: disposed with the rule
 * @throws MetaapoError with code `config` for an option that is unknown or out of bounds
 */
export function cascade(first: RewardModel, options: z.input<typeof settingsSchema>): AnnotationRule {
  const settings = parseOptions('annotation rule cascade', settingsSchema, options);
  const isClear = (responses: readonly AnnotationCandidate[]): boolean =>
    spreadOf(rewardsBy(responses, FIRST)) >= settings.clearBy;
  return {
    id: 'cascade',
    options: deepFrozen(structuredClone({ ...settings, first: { id: first.id, ...first.options } })),
    scorers: { [FIRST]: first },
    next({ responses }) {
      const cheap = unscored(responses, FIRST);
      if (cheap.length > 0) return cheap;
      return isClear(responses) ? [] : unscored(responses);
    },
    rewards: ({ responses }) => (isClear(responses) ? rewardsBy(responses, FIRST) : rewardsBy(responses)),
    dispose: () => first.dispose?.(),
  };
}

/** {@link cascade} as a part. */
export const cascadePart: PartDefinition<AnnotationRule, CascadeOptions> = definePart<AnnotationRule, CascadeOptions>({
  slot: ANNOTATION_RULE,
  id: 'cascade',
  summary: 'A cheap reward model scores first, and the own one only where that is not clear.',
  options: schema,
  async create({ first, clearBy }, context) {
    const [scorer] = await makeScorers('cascade', [first], context);
    return cascade(scorer!, { clearBy });
  },
  inspect: ({ first }, context) => inspectScorers([first], context),
});
