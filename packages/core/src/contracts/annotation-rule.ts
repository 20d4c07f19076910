import type { SampledResponse } from './response-sampler.js';
import type { RewardModel } from './reward-model.js';

/** Where a response comes from: the policy, its reference, or the data, whose chosen response a pair rule may read. */
export type ResponseSource = 'policy' | 'reference' | 'offline';

/** A response that may be scored, and what is known of it. */
export interface AnnotationCandidate extends SampledResponse {
  readonly source: ResponseSource;
  /** Reward by the run's own reward model; NaN where it could not be read, absent where it was not asked. */
  readonly reward?: number | undefined;
  /** Rewards by the rule's own scorers, by their names, in the same way. */
  readonly otherRewards: Readonly<Record<string, number>>;
}

/** The responses to a prompt that a rule decides about. */
export interface AnnotationCandidates {
  /** Number of the row in the data set. */
  readonly row: number;
  /** Those that a pair can be made of, in the order that they were asked for; an offline one stands last. */
  readonly responses: readonly AnnotationCandidate[];
  /** A draw from [0, 1) that belongs to the row. */
  readonly uniform: number;
}

/** A reward call that a rule wants. */
export interface AnnotationRequest {
  /** Index of the response among the candidates. */
  readonly response: number;
  /** Which of the rule's own scorers gives it; absent: the run's own reward model. */
  readonly scorer?: string | undefined;
}

/**
 * Decides which responses are worth a reward call. It is asked again with what the calls gave, until it wants no more. Pure,
 * so that a resumed run asks for the same: rewards that were paid for come out of the journal.
 */
export interface AnnotationRule {
  readonly id: string;
  readonly options: Readonly<Record<string, unknown>>;
  /** Reward models besides the run's own, by the names that requests use; owned by the rule. */
  readonly scorers?: Readonly<Record<string, RewardModel>> | undefined;
  /** True where it reads log-probabilities of the responses, which samplers are then asked for; default false. */
  readonly readsLogprobs?: boolean | undefined;
  /**
   * True where it asks one scorer about a row more than once, which relative rewards do not allow: they hold within a call;
   * default false.
   */
  readonly scoresInRounds?: boolean | undefined;
  /** The reward calls to make next, none of them made before; empty: what is known suffices. */
  next(row: AnnotationCandidates): readonly AnnotationRequest[];
  /**
   * `[responses]` rewards that count, once no more are wanted; `undefined` leaves a response out. Absent: those of the run's
   * own reward model. Rewards of different scorers are not compared: those of a row come from one.
   */
  rewards?(row: AnnotationCandidates): readonly (number | undefined)[];
  dispose?(): void | Promise<void>;
}
