import type { AnnotationRequest, AnnotationRule, PartDefinition } from '@metaapo/core/contracts';
import { ANNOTATION_RULE, definePart, parseOptions } from '@metaapo/core/contracts';
import { z } from 'zod';
import { rewardsBy, spreadOf, unscored } from './candidate-rewards.js';

const schema = z.strictObject({
  spread: z
    .number()
    .positive()
    .max(1e6)
    .describe("Best less worst reward that suffices, in the reward model's units. Larger scores more responses."),
  first: z.int().min(2).max(1000).default(2).describe('Responses that are scored at first.'),
  step: z.int().positive().max(1000).default(1).describe('Responses that each further round scores.'),
  atMost: z.int().min(2).max(1000).optional().describe('Most responses of a prompt that are scored; absent: all.'),
});

/** Options of {@link adaptive}. */
export type AdaptiveOptions = z.input<typeof schema>;

/**
 * Scores responses in rounds, in the order that they were sampled in, until the best and the worst of them lie `spread`
 * apart: easy prompts cost few reward calls, close ones many. An offline response is scored with the first.
 * @throws MetaapoError with code `config` for an option that is unknown or out of bounds
 */
export function adaptive(options: AdaptiveOptions): AnnotationRule {
  const settings = parseOptions('annotation rule adaptive', schema, options);
  return {
    id: 'adaptive',
    options: settings,
    scoresInRounds: true,
    next({ responses }) {
      const isOffline = ({ response }: AnnotationRequest): boolean => responses[response]!.source === 'offline';
      const missing = unscored(responses);
      const sampled = missing.filter((request) => !isOffline(request));
      const done = responses.filter(({ source, reward }) => source !== 'offline' && reward !== undefined).length;
      if (spreadOf(rewardsBy(responses)) >= settings.spread) return [];
      const wanted = done === 0 ? settings.first : settings.step;
      const left = Math.max(0, (settings.atMost ?? responses.length) - done);
      return [...sampled.slice(0, Math.min(wanted, left)), ...missing.filter(isOffline)];
    },
  };
}

/** {@link adaptive} as a part. */
export const adaptivePart: PartDefinition<AnnotationRule, AdaptiveOptions> = definePart<
  AnnotationRule,
  AdaptiveOptions
>({
  slot: ANNOTATION_RULE,
  id: 'adaptive',
  summary: 'Responses are scored in rounds until the best and the worst lie far enough apart.',
  options: schema,
  create: (options) => adaptive(options),
  inspect: async () => ({ scoresInRounds: true }),
});
