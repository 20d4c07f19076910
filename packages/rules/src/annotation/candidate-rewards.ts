import type { AnnotationCandidate, AnnotationRequest } from '@metaapo/core/contracts';

/** Rewards in the order of the responses: NaN where one could not be read, `undefined` where it was not asked for. */
export type KnownRewards = readonly (number | undefined)[];

/** Rewards by the run's own reward model, or by one of a rule's scorers. */
export function rewardsBy(responses: readonly AnnotationCandidate[], scorer?: string): KnownRewards {
  return responses.map(({ reward, otherRewards }) => (scorer === undefined ? reward : otherRewards[scorer]));
}

/** Calls for the responses that a scorer has not been asked about. */
export function unscored(responses: readonly AnnotationCandidate[], scorer?: string): readonly AnnotationRequest[] {
  const by = scorer === undefined ? {} : { scorer };
  return rewardsBy(responses, scorer).flatMap((reward, response) =>
    reward === undefined ? [{ response, ...by }] : [],
  );
}

/** Best less worst of the rewards that can be read; 0 of fewer than two. */
export function spreadOf(rewards: KnownRewards): number {
  const readable = rewards.filter((reward): reward is number => reward !== undefined && !Number.isNaN(reward));
  return readable.length < 2 ? 0 : Math.max(...readable) - Math.min(...readable);
}
