import type { ScoreAt, TextModel, TextScorer } from './text-model.js';
import type { Tokenizer } from './tokenizer.js';
import type { GenerationRequest, OptimizerStep, PromptGroup } from './trainable-model.js';

/** What is known of a language model without its weights. */
export interface ModelDescription {
  /** Absent for a model that is fed token ids alone. */
  readonly tokenizer?: Tokenizer | undefined;
  /** Ids that end a response. */
  readonly eosTokenIds: readonly number[];
  /** Number of ids that the model predicts. */
  readonly vocabularySize: number;
  /** Tokens of the longest sequence that the model was made for. */
  readonly contextLength: number;
  /** Key of the model and of what turns text into its ids, found without weights: equal keys mean equal ids. */
  readonly fingerprint: string;
  /** Of a reward model: where it was trained to be read; default `template-end`. */
  readonly scoreAt?: ScoreAt | undefined;
}

/**
 * What a model is to be opened as: `new-scorer` is a reward model for training, which gets a head where it has none, and
 * `any` what it is.
 */
export type ModelRole = 'policy' | 'scorer' | 'new-scorer' | 'any';

/** A directory that a model's `save` wrote. Only the source of that model knows what is in it. */
export type SavedModel = string;

/** What a policy is opened for. */
export interface TrainingUse {
  /** What AdamW keeps its moments for, and the norm to which gradients will be clipped. */
  readonly optimizer: Pick<OptimizerStep, 'beta1' | 'beta2' | 'epsilon' | 'weightDecay' | 'maxGradNorm'>;
  /** Of whatever is drawn when the model is opened, such as a new adapter. */
  readonly seed: number;
  /** Tokens of the longest group of a prompt with one response. */
  readonly longestRow: number;
  /** Tokens, prompts and responses together, whose keys and values are kept while generating; default the source's. */
  readonly cachedTokens?: number | undefined;
}

/** What a training asks of a source beside the policy itself. */
export interface ModelNeeds extends TrainingUse {
  /** Whether entropies of responses are read. */
  readonly entropies: boolean;
  /** Models of the source that are open at a time. */
  readonly models: number;
}

/** What a model is opened for that is not trained. */
export type ReadingUse = Partial<Pick<TrainingUse, 'longestRow' | 'cachedTokens'>>;

/** What a training computes at most at a time. */
export interface TrainingWorkload extends TrainingUse {
  /** The groups of its largest micro-batch; none: the weights alone are asked for. */
  readonly groups: readonly PromptGroup[];
  /** A policy, or a reward model; default `policy`. */
  readonly trains?: 'policy' | 'scorer' | undefined;
}

/** Memory that a model needs, in bytes, by what takes it; and its parameters. */
export interface MemoryEstimate {
  readonly parameters: { readonly all: number; readonly trained: number };
  /** Bytes in all. */
  readonly total: number;
  /** Bytes by name, such as weights, moments, activations. */
  readonly parts: Readonly<Record<string, number>>;
  /** Bytes that there are where it would be computed, if nothing else took any; absent where that is not known. */
  readonly available?: number | undefined;
}

/** A small part of what a training or a run computes, from which the time of all of it is estimated. */
export interface RehearsedWork extends TrainingUse {
  /** A policy, or a reward model; default `policy`. */
  readonly trains?: 'policy' | 'scorer' | undefined;
  /** One micro-batch that is only read. */
  readonly read: readonly PromptGroup[];
  /** One micro-batch that is trained. */
  readonly trained: readonly PromptGroup[];
  /** What is generated at a time; none: nothing is. */
  readonly requests: readonly GenerationRequest[];
}

/** How fast a model is, in seconds. A prompt counts once for the responses of its group. */
export interface Rehearsal {
  /** What computed it, such as a backend, and how much of the model. */
  readonly computedBy: string;
  /** From nothing to a model for training that has done each kind of work once. */
  readonly start: number;
  /** The same of a model that is only read, beside one that is open. */
  readonly readerStart: number;
  /** A token that is read. */
  readonly readToken: number;
  /** A token through a forward pass and its backward pass. */
  readonly trainedToken: number;
  /** One step of the optimizer. */
  readonly update: number;
  /** A new token of a response; absent where none was generated. */
  readonly newToken?: number | undefined;
  /** A byte of a checkpoint. */
  readonly savedByte: number;
}

/**
 * Where a language model comes from: this machine, another, a training service. It describes the model without its
 * weights, and opens it to be trained, or as it started or was saved, to be asked.
 */
export interface ModelSource {
  readonly id: string;
  readonly options: Readonly<Record<string, unknown>>;
  /**
   * What is known without weights; none are fetched.
   * @param as what it is to be opened as: whether it can be is judged too, as are weights that are on this machine already
   * @throws MetaapoError with code `config` or `checkpoint` when there is no such model or it cannot be computed
   */
  describe(as?: ModelRole): Promise<ModelDescription>;
  /**
   * Refuses what the source cannot do, before anything is paid for; absent where it can do all that may be asked.
   * @throws MetaapoError with code `config` that names the setting and what helps
   */
  requireAble?(needs: ModelNeeds): Promise<void>;
  /** The model for training; owned: the caller disposes `model`. */
  openPolicy(use: TrainingUse): Promise<TextModel>;
  /** The model for evaluation and generation alone: as it starts, or as `save` wrote it; owned. */
  openReference(from: 'start' | SavedModel, use: ReadingUse): Promise<TextModel>;
  /**
   * The model as a reward model, owned: for training where `optimizer` is given, and then with a new head of one label
   * where it has none; absent where it can be none.
   */
  openScorer?(use: ReadingUse & Partial<TrainingUse>): Promise<TextScorer>;
  /** Memory that a training needs; absent where the model lies on another machine. */
  estimateMemory?(workload: TrainingWorkload): Promise<MemoryEstimate>;
  /**
   * Does a small part of the work with weights that stand in for the model's, and times it; none are fetched. Absent where
   * the model lies on another machine; nothing where not even that part fits into this one.
   */
  rehearse?(work: RehearsedWork): Promise<Rehearsal | undefined>;
  /** Writes the model as one directory with whatever lies on it merged in; absent where it cannot be written. */
  exportTo?(directory: string, precision: 'float32' | 'bfloat16'): Promise<void>;
  /** What a forward pass, a backward pass and an update over the groups cost, in lines of text; absent where it is not known. */
  profile?(groups: readonly PromptGroup[], use: TrainingUse): AsyncIterable<string>;
  /** Gives back what the source itself holds, such as a session with a server. */
  dispose?(): void | Promise<void>;
}
