import type { TokenizedDemonstration } from './demonstration.js';
import type { MetaFeatures, StateArray } from './meta-learner.js';
import type { TokenizedPreference } from './preference-row.js';
import type { SampledRow } from './sampled-row.js';
import type { Metrics } from './tracker.js';
import type { PassOptions, PromptGroup } from './trainable-model.js';
import type { TokenizedUnpaired } from './unpaired-row.js';

/** What an objective remembers from step to step. The checkpoint keeps it, to the bit, without knowing what it is. */
export interface ObjectiveState {
  /** Float64 by name. */
  readonly numbers: Readonly<Record<string, number>>;
  readonly arrays: Readonly<Record<string, StateArray>>;
}

/** The rows that an objective may be given, by their form. */
export interface RowsByForm {
  readonly preference: TokenizedPreference;
  readonly demonstration: TokenizedDemonstration;
  readonly unpaired: TokenizedUnpaired;
  /** Made by a run of iterations alone: no data set holds them. */
  readonly sampled: SampledRow;
}

/** How rows look. */
export type RowForm = keyof RowsByForm;

/** What the model says of the responses of one group, N of them. */
export interface GroupReading {
  /** `[N]` float32: sum log-probabilities under a policy in nats, or rewards of a scorer. */
  readonly values: Float32Array;
  /** `[N]` float32: sum entropies in nats; of a policy, where they were asked for. */
  readonly sumEntropies?: Float32Array | undefined;
  /** N arrays `[tokens]` float32: log p of each response token; of a policy, where they were asked for. */
  readonly tokenLogprobs?: readonly Float32Array[] | undefined;
}

/**
 * The gradient of a scalar loss for each of some groups: with respect to the `values` of its responses, `[N]`, or to the
 * log-probabilities of their tokens, N arrays `[tokens]`. Float32.
 */
export type GroupGradients =
  | { readonly perResponse: readonly Float32Array[] }
  | { readonly perToken: readonly (readonly Float32Array[])[] };

/** Which of the groups are computed at once: `[start, end)`. */
export interface GroupRange {
  readonly start: number;
  readonly end: number;
}

/** How an evaluation tells how far it is, and how it is stopped. */
export interface EvaluationControls {
  /** `done` of `total` groups. */
  readonly progress?: ((done: number, total: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** How groups are read. */
export interface ReadingWishes extends PassOptions, EvaluationControls {}

/** How groups are trained. */
export interface TrainingWishes extends PassOptions {
  /**
   * True where the gradient of a group depends on the others: all of them are read before any of them is trained, and
   * their gradients asked for at once.
   */
  readonly couplesGroups?: boolean | undefined;
}

/** Passes over the model that is trained. They cut groups into micro-batches, which decide memory and never results. */
export interface TrainingPasses {
  /** What the model says of groups, in their order, without gradient. */
  read(groups: readonly PromptGroup[], wishes?: ReadingWishes): Promise<readonly GroupReading[]>;
  /**
   * Forward and backward. The gradients add up in the model; every group has a gradient.
   * @param gradientOf asked in order for the groups that are computed at once
   */
  forwardBackward(
    groups: readonly PromptGroup[],
    gradientOf: (readings: readonly GroupReading[], range: GroupRange) => GroupGradients | Promise<GroupGradients>,
    wishes?: TrainingWishes,
  ): Promise<void>;
}

/** Rows with what the reference says of them. */
export interface ObjectiveRows<Row> {
  readonly rows: readonly Row[];
  /**
   * Log-probabilities of the responses of each row under the reference, in nats, in the order of `groupsOf`: `[responses]`
   * sums, or `[tokens]` of all of them one after another, as the objective's `readsReference` says. Absent where it reads none.
   */
  readonly reference?: readonly Float32Array[] | undefined;
}

/** What an objective is opened with. */
export interface ObjectiveInput<Row> extends ObjectiveRows<Row> {
  /** Over the model that is trained. */
  readonly passes: TrainingPasses;
  /** Rows to evaluate; absent, there is no evaluation. */
  readonly heldOut?: ObjectiveRows<Row> | undefined;
  /** 0-based iteration of the run; absent in a training alone. */
  readonly iteration?: number | undefined;
}

/** What a batch gave, once its gradients are in the model. */
export interface BatchOutcome {
  /** Metrics of the batch, `loss` among them. */
  readonly metrics: Metrics;
  /** Data set numbers of the rows, in the order of the batch. */
  readonly rows: readonly number[];
  /** Tokens seen in the batch. */
  readonly tokens: number;
  /** `[B]` float32 weights w of the rows, where something weighs them. */
  readonly weights?: Float32Array | undefined;
  /**
   * State and further metrics after the optimizer step; absent: the state stays as it is.
   * @param optimizerStep 1-based number of the step that was done, counted since the optimizer's moments were zero
   */
  readonly afterStep?: (optimizerStep: number) => { readonly state: ObjectiveState; readonly metrics: Metrics };
}

/**
 * An objective over given rows. Plan, schedule, clipping, update, checkpoints and files are the trainer's. It keeps nothing
 * from step to step but in its state, which it never changes in place.
 */
export interface TrainingObjective {
  /**
   * Adds the gradient of a batch's loss to the model's gradients.
   * @param indices `[B]` rows of the batch in order, as indices into the rows
   * @param where the step, for messages
   * @throws MetaapoError with code `numerics` when a loss is not finite
   */
  accumulate(indices: Int32Array, state: ObjectiveState, where: string): Promise<BatchOutcome>;
  /** Metrics of held-out rows, with names that begin with `eval_`, without gradient; absent where there are none. */
  readonly evaluate?: ((state: ObjectiveState, controls: EvaluationControls) => Promise<Metrics>) | undefined;
  /** Sentences for the user before the first step. */
  readonly warnings?: readonly string[] | undefined;
  /** Begins to watch the metrics of steps; what it returns says what the user should look at, when there is something. */
  watch?(): (metrics: Metrics) => string | undefined;
}

/** How a run of iterations scores and weighs offline pairs before it selects prompts. */
export interface PreferenceScoring {
  /** True where the mean entropies of the offline responses are read too. */
  readonly readsEntropy: boolean;
  /**
   * Preference scores s `[B]` float32 of the offline pairs, without gradient.
   * @param policy sum log-probabilities `[>= 2]` of each row's responses under the policy: chosen, rejected, ...
   */
  scores(rows: ObjectiveRows<TokenizedPreference>, policy: readonly Float32Array[]): Promise<Float32Array>;
  /** Weights w `[B]` float32 of offline pairs in [0, 1]; absent where nothing weighs them. */
  weights?(state: ObjectiveState, features: MetaFeatures): Float32Array;
}

/**
 * What is trained: rows in, gradients and metrics out. Pure: what it remembers goes in and comes out as its state.
 */
export interface Objective<Form extends RowForm = RowForm> {
  readonly id: string;
  readonly options: Readonly<Record<string, unknown>>;
  /** Whether a language model is trained, or a reward model. */
  readonly trains: 'policy' | 'scorer';
  readonly rowForm: Form;
  /** What it reads of the reference: nothing, sums over responses, or log-probabilities of single tokens. */
  readonly readsReference: false | 'sums' | 'tokens';
  /** Absent where it knows no preference score: only selection rules that read none can be used then. */
  readonly scoring?: PreferenceScoring | undefined;
  /** All that is computed of a row: prompts with their responses. */
  groupsOf(row: RowsByForm[Form]): readonly PromptGroup[];
  /**
   * The rows that are trained, out of those of a data set, or of a slice of a run's iteration; absent: all of them.
   * @throws MetaapoError with code `data` when the rows lack what it reads
   */
  trainedRows?(rows: readonly RowsByForm[Form][], slice?: { readonly iteration: number }): readonly RowsByForm[Form][];
  /** The state before the first step; the same for the same seed. */
  initialState(seed: number): ObjectiveState;
  /** The state that an iteration of a run begins with, out of that which the one before ended with; absent: the same. */
  beginIteration?(state: ObjectiveState): ObjectiveState;
  /**
   * Most updates of what weighs the pairs, in iterations of so many optimizer steps each; absent where nothing is updated.
   */
  metaUpdates?(stepsOfIterations: readonly number[]): number;
  /**
   * The objective over rows.
   * @throws MetaapoError with code `config` when there is no reference and it reads one
   */
  open(input: ObjectiveInput<RowsByForm[Form]>): TrainingObjective;
  /** Arrays of a state that are worth a file of their own beside the model at the end, by the name of the file. */
  filesOf?(state: ObjectiveState): Readonly<Record<string, Readonly<Record<string, StateArray>>>>;
}
