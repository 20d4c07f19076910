import type {
  AnnotationRule,
  ChatContext,
  ChatMessage,
  Objective,
  ObjectiveRows,
  PairRule,
  ResponseSampler,
  RewardModel,
  RunEvents,
  SelectionRule,
  TokenizedPreference,
  TrainableModel,
} from '../contracts/index.js';
import type { Schedule } from '../numerics/index.js';
import type { CheckpointKey, OptimizerSettings } from '../trainer/index.js';
import type { AnnotationBudget } from './annotation/annotation-limit.js';
import type { RewardEvaluation } from './annotation/held-out-reward.js';

/** A prompt as people and servers read it. */
export interface RunPrompt {
  /** The conversation, where the row has one. */
  readonly messages?: readonly ChatMessage[] | undefined;
  /** What the conversation has beside its messages. */
  readonly chat?: ChatContext | undefined;
  /** The prompt as text; the rendered conversation where the row has one. */
  readonly text: string;
  /** Texts of the row's offline pair, for reports. */
  readonly offline?: { readonly chosen: string; readonly rejected: string } | undefined;
}

/** The parts of a run of iterations. */
export interface IterationParts {
  /** What is trained: preferences of the rows with their online pairs, or rewarded responses as they were sampled. */
  readonly objective: Objective<'preference'> | Objective<'sampled'>;
  readonly selection: SelectionRule;
  readonly sampler: ResponseSampler;
  readonly rewardModel: RewardModel;
  /** Which responses get a reward call. */
  readonly annotation: AnnotationRule;
  /** Makes the online pairs, where preferences are trained. */
  readonly pairs?: PairRule | undefined;
}

/** A model that can be opened as a reference: the recipe's, the policy as it started, or a saved one. */
export type ReferenceSource = 'first' | 'start' | { readonly directory: string };

/** What a run of iterations works with. */
export interface RunOptions {
  readonly output: string;
  readonly parts: IterationParts;
  /** The policy: trained in place. */
  readonly policy: TrainableModel;
  /** Opens a reference for evaluation, and for generation where it answers too; the run disposes it. */
  readonly openReference: (source: ReferenceSource) => Promise<TrainableModel>;
  /** The first reference is the policy as it starts: in the first iteration it is asked in the reference's place. */
  readonly startsAsReference: boolean;
  /** `previous`: the policy as it was before the last iteration; `fixed`: the first reference for ever. */
  readonly referencePolicy: 'previous' | 'fixed';
  readonly rows: readonly TokenizedPreference[];
  readonly promptOf: (row: TokenizedPreference) => RunPrompt;
  readonly iterations: number;
  /** Rows of an iteration; default an equal share of all. */
  readonly promptsPerIteration?: number | undefined;
  /** Responses a prompt, K. */
  readonly responsesPerPrompt: number;
  /** `both`: K of the policy and K of the reference of the iteration; default the policy's alone. */
  readonly responsesFrom?: 'policy' | 'both' | undefined;
  /** Bound on annotation over the whole run. */
  readonly budget?: AnnotationBudget | undefined;
  /** Responses cut at the limit: kept without an end-of-sequence token, kept with an end put behind them, or left out. */
  readonly truncated: 'keep' | 'keep-ended' | 'drop';
  /** `[E]` token ids that `keep-ended` puts there, the end-of-sequence token last. */
  readonly cutEnd?: Int32Array | undefined;
  /** The optimizer's moments and number of steps when an iteration begins; default `carry`. */
  readonly optimizerState?: 'carry' | 'fresh' | undefined;
  readonly batchSize: number;
  readonly epochs: number;
  /** The last batch of an epoch where it is smaller; default `keep`. */
  readonly lastBatch?: 'keep' | 'drop' | undefined;
  readonly shuffle: boolean;
  readonly seed: number;
  /** The schedule of an iteration of so many steps. */
  readonly scheduleOf: (totalSteps: number) => Schedule;
  readonly optimizer: OptimizerSettings;
  readonly microBatchTokens: number;
  /** Held-out rows with the first reference, in every iteration, so that iterations compare. */
  readonly evaluation?: ObjectiveRows<TokenizedPreference> | undefined;
  /** Held-out prompts to be sampled and scored before the first and after every iteration. */
  readonly rewardEvaluation?: RewardEvaluation | undefined;
  readonly evaluateEvery?: number | undefined;
  readonly saveEvery?: number | undefined;
  readonly key: CheckpointKey;
  /** True: a resumed run may have another key than it was started with. */
  readonly allowChanges?: boolean | undefined;
  /** Told what happens, as it happens; borrowed. */
  readonly observer: RunEvents;
  readonly signal?: AbortSignal | undefined;
}
