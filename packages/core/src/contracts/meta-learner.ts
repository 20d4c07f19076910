/** A named array of a meta-learner's state. */
export interface StateArray {
  readonly shape: readonly number[];
  /** Row-major float32. */
  readonly values: Float32Array;
}

/** All that a meta-learner remembers: parameters, moments, counters. Plain arrays, so that any store can keep them. */
export type MetaLearnerState = Readonly<Record<string, StateArray>>;

/** What a meta-learner looks at, B rows. */
export interface MetaFeatures {
  /** `[B]` float32: logsigmoid of the preference score s of the offline pair. */
  readonly logSigmoidScore: Float32Array;
  /** `[B]` response lengths in tokens, where known. */
  readonly chosenTokens?: Int32Array | undefined;
  readonly rejectedTokens?: Int32Array | undefined;
  /**
   * `[B]` float32: mean entropy of the policy's predictions over the tokens of each response, in nats a token. Given to a
   * meta-learner that reads it.
   */
  readonly chosenEntropy?: Float32Array | undefined;
  readonly rejectedEntropy?: Float32Array | undefined;
  /** 0-based iteration of the run. */
  readonly iteration?: number | undefined;
}

/** The rows seen since the last update, B rows. */
export interface MetaBuffer extends MetaFeatures {
  /** `[B]` float32: loss of the offline pair as it was when the row was trained. */
  readonly offlineLoss: Float32Array;
  /** `[B]` float32: loss of the online pair. */
  readonly onlineLoss: Float32Array;
}

/** An update of a meta-learner. */
export interface MetaUpdate {
  readonly state: MetaLearnerState;
  /** mean(w * offlineLoss + (1 - w) * onlineLoss) before the update. */
  readonly loss: number;
}

/**
 * Weighs offline pairs: w = h(features) in [0, 1]. A low weight asks for a new sample and trusts the online pair.
 * Pure: state goes in and comes out.
 */
export interface MetaLearner {
  readonly id: string;
  readonly options: Readonly<Record<string, unknown>>;
  /** True where it reads the entropies of responses, which cost time and are computed for it alone. */
  readonly readsEntropy?: boolean | undefined;
  /** True where an update changes nothing: it was trained before, or never is. */
  readonly isFixed?: boolean | undefined;
  /** The state before any update; the same for the same seed. */
  initialState(seed: number): MetaLearnerState;
  /**
   * Weights `[B]` float32.
   * @throws MetaapoError with code `checkpoint` when the state is not one of this meta-learner
   */
  weights(state: MetaLearnerState, features: MetaFeatures): Float32Array;
  /**
   * One update that lowers mean(w * offlineLoss + (1 - w) * onlineLoss), with the gradient through w only.
   * @throws MetaapoError with code `numerics` when a loss is not finite
   */
  update(state: MetaLearnerState, buffer: MetaBuffer): MetaUpdate;
}
