/** A new response with its reward. */
export interface RewardedResponse {
  /** `[T]` token ids, T >= 1. */
  readonly tokens: Int32Array;
  readonly reward: number;
  /**
   * `[T]` float32 in nats: log p of each token under the model that wrote it, before temperature and filters; NaN for an
   * end that was not drawn. Where the sampler gives them.
   */
  readonly logprobs?: Float32Array | undefined;
  /** `reference` for one that the reference of the iteration wrote; absent: the policy did. */
  readonly source?: 'reference' | undefined;
}

/** A prompt with what was answered and how it was rewarded: what a run of iterations makes for such objectives. */
export interface SampledRow {
  /** 0-based number of the row in the data set, counted over all of its files before any row was dropped. */
  readonly row: number;
  /** `[P]` prompt token ids, P >= 1. */
  readonly prompt: Int32Array;
  /** Those with tokens and a readable reward; at least one. */
  readonly responses: readonly RewardedResponse[];
}
