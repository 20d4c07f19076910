import type { ChatContext, ChatMessage } from './tokenizer.js';

/** A response to be scored, with its prompt: a conversation or a text. */
export interface RewardRequest {
  readonly prompt: string | readonly ChatMessage[];
  /** What a conversation has beside its messages. */
  readonly chat?: ChatContext | undefined;
  readonly response: string;
}

/** Scores responses; higher is better. */
export interface RewardModel {
  readonly id: string;
  readonly options: Readonly<Record<string, unknown>>;
  /**
   * Key of the scorer: equal keys mean equal rewards, so that none is paid twice. Everything that a reward follows from
   * belongs into it: weights, templates, the code of a function.
   */
  readonly fingerprint: string;
  /**
   * True where a reward compares a response with the others to its prompt in the same call, as a pairwise judge's does;
   * default false. Such a reward holds for those others only: the responses to a prompt are then scored in a call of
   * their own.
   */
  readonly isRelative?: boolean | undefined;
  /**
   * `[R]` rewards in the order of the requests; NaN where the scorer gave no readable answer, which is counted and
   * never guessed.
   * @param onUnreadableComparison called for every comparison of two responses that could not be read and was left out
   * of their rewards
   * @throws MetaapoError with code `network` when a server stays out of reach
   */
  score(
    requests: readonly RewardRequest[],
    signal?: AbortSignal,
    onUnreadableComparison?: () => void,
  ): Promise<Float32Array>;
  dispose?(): void | Promise<void>;
}
