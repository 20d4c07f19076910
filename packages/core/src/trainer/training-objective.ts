import type { Metrics } from '../contracts/index.js';
import type { TrainerState } from './trainer-state.js';

/** What a batch gave, once its gradients are in the model. */
export interface BatchOutcome {
  /** Metrics of the batch, `loss` among them. */
  readonly metrics: Metrics;
  /** Data set numbers of the rows, in the order of the batch. */
  readonly rows: readonly number[];
  /** Tokens seen in the batch. */
  readonly tokens: number;
  /** Weights w of the rows, where a meta-learner weighs them. */
  readonly weights?: Float32Array | undefined;
  /** State and further metrics after the optimizer step, for an objective that remembers something. */
  readonly afterStep?: (state: TrainerState) => { readonly state: TrainerState; readonly metrics: Metrics };
}

/** How an evaluation tells how far it is, and how it is stopped. */
export interface EvaluationControls {
  /** `done` of `total` rows; in fine-tuning responses. */
  readonly progress?: ((done: number, total: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * What a trainer minimises: rows in, gradients and metrics out. Plan, schedule, clipping, update, checkpoints and files
 * are the trainer's.
 */
export interface TrainingObjective {
  /** The state to begin with: `start`, with what the objective remembers where that lacks it. */
  begin?(start: TrainerState): TrainerState;
  /**
   * Adds the gradient of a batch's loss to the model's gradients.
   * @param indices rows of the batch in order
   * @param where the step, for messages
   * @throws MetaapoError with code `numerics` when a loss is not finite
   */
  accumulate(indices: Int32Array, state: TrainerState, where: string): Promise<BatchOutcome>;
  /** Metrics of held-out rows, with names that begin with `eval_`; absent where there are none. */
  evaluate?: ((state: TrainerState, controls: EvaluationControls) => Promise<Metrics>) | undefined;
  /** Sentences for the user before the first step. */
  readonly warnings?: readonly string[] | undefined;
  /** Begins to watch the metrics of steps; what it returns says what the user should look at, when there is something. */
  watch?(): (metrics: Metrics) => string | undefined;
}
