import type { ChatMessage } from './tokenizer.js';

/** A response to be scored, with its prompt: a conversation or a text. */
export interface RewardRequest {
  readonly prompt: string | readonly ChatMessage[];
  readonly response: string;
}

/** Scores responses; higher is better. */
export interface RewardModel {
  readonly id: string;
  readonly options: Readonly<Record<string, unknown>>;
  /** Key of the scorer: equal keys mean equal rewards, so that none is paid twice. */
  readonly fingerprint: string;
  /**
   * `[R]` rewards in the order of the requests; NaN where the scorer gave no readable answer, which is counted and
   * never guessed.
   * @throws MetaapoError with code `network` when a server stays out of reach
   */
  score(requests: readonly RewardRequest[], signal?: AbortSignal): Promise<Float32Array>;
  dispose?(): void | Promise<void>;
}
