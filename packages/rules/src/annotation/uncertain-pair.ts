import type {
  AnnotationCandidate,
  AnnotationCandidates,
  AnnotationRequest,
  AnnotationRule,
  PartDefinition,
  RewardModel,
} from '@metaapo/core/contracts';
import { ANNOTATION_RULE, deepFrozen, definePart, MetaapoError } from '@metaapo/core/contracts';
import { z } from 'zod';
import { rewardsBy, unscored } from './candidate-rewards.js';
import { inspectScorers, makeScorers, scorerSchema } from './make-scorers.js';

const schema = z.strictObject({
  scorers: z
    .array(scorerSchema)
    .min(2)
    .max(16)
    .optional()
    .describe('Cheap reward models whose disagreement tells which pair is uncertain; absent: log-probabilities tell.'),
});

/** Options of the part `uncertain-pair`. */
export type UncertainPairOptions = z.input<typeof schema>;

/** How certain the order of two responses is: the smaller, the less. */
type Certainty = (a: number, b: number) => readonly number[];

/**
 * Scores two responses to a prompt alone: those whose order is least certain, where a reward call tells most.
 *
 * Without scorers: the two whose mean log-probabilities a token, under the model that wrote them, lie closest together;
 * both are of one model. With scorers: the two that the fewest more of them order one way than the other, then those whose
 * margins, each scorer's in units of its standard deviation over the prompt, cancel best. Of pairs that are equally
 * uncertain the first; two equal texts are no pair. An offline response is scored as well.
 * @param scorers cheap reward models, owned: disposed with the rule
 */
export function uncertainPair(scorers: readonly RewardModel[] = []): AnnotationRule {
  const named = Object.fromEntries(scorers.map((scorer, index) => [`${index + 1}-${scorer.id}`, scorer]));
  const names = Object.keys(named);
  return {
    id: 'uncertain-pair',
    options: deepFrozen(structuredClone({ scorers: scorers.map(({ id, options }) => ({ id, ...options })) })),
    ...(names.length === 0 ? { readsLogprobs: true } : { scorers: named }),
    next({ row, responses }) {
      if (responses.some(({ reward }) => reward !== undefined)) return [];
      const cheap = names.flatMap((name) => unscored(responses, name));
      if (cheap.length > 0) return cheap;
      return wantedOf(responses, names.length === 0 ? byLogprobs(row, responses) : byDisagreement(responses, names));
    },
    async dispose() {
      for (const scorer of scorers) await scorer.dispose?.();
    },
  };
}

/** The least certain pair, and the offline response; where all say the same, the first alone. */
function wantedOf(responses: AnnotationCandidates['responses'], certainty: Certainty): readonly AnnotationRequest[] {
  let best: { readonly pair: readonly number[]; readonly certainty: readonly number[] } | undefined;
  for (const [a, first] of responses.entries()) {
    for (const [b, second] of responses.entries()) {
      if (b <= a || first.text === second.text || first.source !== second.source) continue;
      const value = certainty(a, b);
      if (best === undefined || isLess(value, best.certainty)) best = { pair: [a, b], certainty: value };
    }
  }
  const offline = responses.flatMap(({ source }, at) => (source === 'offline' ? [at] : []));
  return [...(best?.pair ?? responses.slice(0, 1).map((_, first) => first)), ...offline].map((response) => ({
    response,
  }));
}

/** True where the first value that differs is the smaller one. */
function isLess(a: readonly number[], b: readonly number[]): boolean {
  const at = a.findIndex((value, index) => value !== b[index]);
  return at >= 0 && a[at]! < b[at]!;
}

function byLogprobs(row: number, responses: AnnotationCandidates['responses']): Certainty {
  const means = responses.map((response) => (response.source === 'offline' ? Number.NaN : meanLogprob(row, response)));
  return (a, b) => [Math.abs(means[a]! - means[b]!)];
}

/** Mean over the tokens that were drawn; an end that was put in the place of a stop text has no log-probability. */
function meanLogprob(row: number, { logprobs }: AnnotationCandidate): number {
  const known = logprobs?.filter((value) => !Number.isNaN(value));
  if (known !== undefined && known.length > 0) return known.reduce((sum, value) => sum + value, 0) / known.length;
  throw new MetaapoError('config', 'a response came without log-probabilities', {
    where: `annotation rule uncertain-pair, row ${row}`,
    expected: 'a sampler that gives log-probabilities',
    remedy: 'Choose the sampler local or a server that gives them, or list scorers whose disagreement tells instead',
  });
}

function byDisagreement(responses: AnnotationCandidates['responses'], names: readonly string[]): Certainty {
  const rewards = names.map((name) => rewardsBy(responses, name).map((reward) => reward ?? Number.NaN));
  const scales = rewards.map((own) => standardDeviation(own) || 1);
  return (a, b) => {
    const margins = rewards.map((own, scorer) => (own[a]! - own[b]!) / scales[scorer]!).map((one) => one || 0);
    const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
    return [Math.abs(sum(margins.map(Math.sign))), Math.abs(sum(margins))];
  };
}

function standardDeviation(values: readonly number[]): number {
  const known = values.filter((value) => !Number.isNaN(value));
  const mean = known.reduce((sum, value) => sum + value, 0) / known.length;
  return Math.sqrt(known.reduce((sum, value) => sum + (value - mean) ** 2, 0) / known.length);
}

/** {@link uncertainPair} as a part. */
export const uncertainPairPart: PartDefinition<AnnotationRule, UncertainPairOptions> = definePart<
  AnnotationRule,
  UncertainPairOptions
>({
  slot: ANNOTATION_RULE,
  id: 'uncertain-pair',
  summary: 'Only the two responses whose order is least certain are scored.',
  options: schema,
  create: async ({ scorers = [] }, context) =>
    uncertainPair(scorers.length === 0 ? [] : await makeScorers('uncertain-pair', scorers, context)),
  inspect: ({ scorers = [] }, context) => inspectScorers(scorers, context),
});
