/** One prompt with its N responses, as token ids. The prompt is computed once for all of them. */
export interface PromptGroup {
  /** `[P]` prompt token ids, P >= 1. */
  readonly prompt: Int32Array;
  /** N arrays of response token ids, each of length >= 1; an end-of-sequence id, where there is one, is included. */
  readonly responses: readonly Int32Array[];
}

/** Tokens that a group costs when its prompt is computed once. */
export function tokensOf({ prompt, responses }: PromptGroup): number {
  return responses.reduce((sum, response) => sum + response.length, prompt.length);
}

/** What a pass gives besides sums of log-probabilities. */
export interface PassOptions {
  /** Entropies of the responses too; default false. */
  readonly entropies?: boolean | undefined;
  /** Log-probabilities of single tokens too; default false. */
  readonly tokenLogprobs?: boolean | undefined;
}

/** Log-probabilities of R responses, in the order of groups and of responses within a group. */
export interface ResponseLogprobs {
  /** `[R]` float32: sum over response tokens of log p(token | prompt, earlier response tokens). */
  readonly sumLogprobs: Float32Array;
  /**
   * `[R]` float32, in nats: sum over response tokens of -sum_v p(v) log p(v), v over the vocabulary, p the distribution
   * that the token is predicted with. Present where it was asked for.
   */
  readonly sumEntropies?: Float32Array | undefined;
  /**
   * `[tokens]` float32, the responses one after another: log p(token | prompt, earlier response tokens). Present where it was
   * asked for.
   */
  readonly tokenLogprobs?: Float32Array | undefined;
  /** `[R]` number of response tokens; the mean log-probability is sum / tokens. */
  readonly tokenCounts: Int32Array;
}

/** A forward pass that waits for `backward` or `discard`. */
export interface ForwardTicket extends ResponseLogprobs {
  readonly id: number;
}

/**
 * The gradient of a scalar loss with respect to log-probabilities, float32: `[R]` d loss / d sumLogprobs, or `[tokens]`
 * d loss / d tokenLogprobs.
 */
export type LogprobGradient = { readonly perResponse: Float32Array } | { readonly perToken: Float32Array };

/** A forward pass of a reward model that waits for `backward` or `discard`. */
export interface ScoreTicket {
  readonly id: number;
  /** `[R]` float32, in the order of groups and of responses within a group. */
  readonly rewards: Float32Array;
}

/** One update of the parameters by AdamW with decoupled weight decay. */
export interface OptimizerStep {
  /** Learning rate of this step, the schedule's value. */
  readonly learningRate: number;
  /** 1-based number of this update, for the bias correction. */
  readonly step: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  /** Applied to matrices only, as `parameter *= 1 - learningRate * weightDecay`. */
  readonly weightDecay: number;
  /** Global gradient norm above which gradients are scaled down; `undefined` leaves them as they are. */
  readonly maxGradNorm?: number;
}

/** How the next token is drawn from the logits; the steps apply in this order. */
export interface TokenChoice {
  /** Above 1 lowers the logits of tokens that are there already (arXiv 1909.05858, section 4.1). */
  readonly repetitionPenalty?: number | undefined;
  /** Divides the logits; 0 takes the likeliest token. */
  readonly temperature: number;
  /** Keeps the k likeliest tokens. */
  readonly topK?: number | undefined;
  /** Keeps the likeliest tokens that together reach this probability (arXiv 1904.09751). */
  readonly topP?: number | undefined;
  /** Keeps tokens of at least this share of the likeliest one's probability (arXiv 2407.01082). */
  readonly minP?: number | undefined;
}

/** A request for sampled responses to one prompt. */
export interface GenerationRequest extends TokenChoice {
  /** `[P]` prompt token ids, P >= 1. */
  readonly prompt: Int32Array;
  /** Number of responses wanted. */
  readonly count: number;
  readonly maxNewTokens: number;
  /** Ids that end a response; the id is part of it. */
  readonly stopTokenIds: readonly number[];
  /** Texts that end a response: the token with which the first of them is whole is its last. */
  readonly stopTexts?: readonly string[] | undefined;
  /**
   * Told of each token as it is drawn: the number of the response, and its tokens so far (borrowed). A response that had
   * to give way to others is begun again, and its tokens are told again.
   */
  readonly onToken?: ((response: number, tokens: readonly number[]) => void) | undefined;
  /** The same seed gives the same responses, whatever else is generated at the same time. */
  readonly seed: number;
}

/** One generated response; `tokens` includes the end-of-sequence id when `finishReason` is `stop`. */
export interface Generation {
  readonly tokens: Int32Array;
  /** `[tokens]` float32: log p of each token under the model itself, before temperature and filters. */
  readonly logprobs: Float32Array;
  /** `stop`: it ended by itself; `length`: it was cut at the limit. */
  readonly finishReason: 'stop' | 'length';
}

/** The responses to one request. */
export interface RequestGenerations {
  /** Index of the request. */
  readonly request: number;
  readonly generations: readonly Generation[];
}

/** What an update was. */
export interface AppliedStep {
  /** The Euclidean norm that the gradients had, before any scaling; absent where whoever computes it does not tell. */
  readonly gradientNorm?: number | undefined;
}

/** Parameters that a trainer moves by the gradients that it has accumulated, wherever they lie. */
export interface TrainedParameters {
  /** Key of the configuration and weights it started from: equal keys mean equal results. Used to cache a reference's. */
  readonly fingerprint: string;
  /** What decides last bits beside the fingerprint, such as `tensorflow float32`: backend and precision. */
  readonly computedBy: string;
  /**
   * Scales the accumulated gradients by the clip factor, updates the parameters and sets the gradients to zero. Where the
   * norm is not finite, parameters and moments stay as they are, and only the gradients are set to zero.
   */
  apply(step: OptimizerStep): Promise<AppliedStep>;
  /** Sets the accumulated gradients to zero without an update. */
  zeroGradients(): Promise<void>;
  /** Sets the optimizer's moments to zero, as they were before the first step; absent where that cannot be done. */
  resetMoments?(): Promise<void>;
  /** Writes the model as a Hugging Face directory (or, with LoRA, a PEFT adapter directory), atomically. */
  save(directory: string): Promise<void>;
  /** Writes a directory with all that an exact continuation needs (parameters in float32, moments), atomically. */
  saveState(directory: string): Promise<void>;
  /** Restores what `saveState` wrote. */
  loadState(directory: string): Promise<void>;
  dispose(): void;
}

/**
 * A language model as the trainer knows it. How it computes (on this machine, on another, compiled or not) is its own
 * affair; token ids go in and log-probabilities come out.
 */
export interface TrainableModel extends TrainedParameters {
  /** Forward passes that may be open at a time; default 1. */
  readonly maxOpenPasses?: number | undefined;
  /** Log-probabilities of every response, keeping what `backward` needs. */
  forward(groups: readonly PromptGroup[], options?: PassOptions): Promise<ForwardTicket>;
  /** Adds the gradient of a scalar loss to the accumulated gradients; an `apply` that follows includes it. */
  backward(ticket: ForwardTicket, gradient: LogprobGradient): Promise<void>;
  /** Drops the activations of a forward pass that will have no backward. */
  discard(ticket: ForwardTicket): Promise<void>;
  /** Log-probabilities without keeping activations. */
  evaluate(groups: readonly PromptGroup[], options?: PassOptions): Promise<ResponseLogprobs>;
  /**
   * Samples responses, each request's as soon as they are complete; absent where the model cannot generate.
   * @throws MetaapoError with code `config` when there are stop texts, and the model has no tokenizer
   */
  generate?(requests: readonly GenerationRequest[], signal?: AbortSignal): AsyncIterable<RequestGenerations>;
}

/** A reward model as the trainer knows it: token ids go in and rewards come out. Prompts may be empty. */
export interface TrainableScorer extends TrainedParameters {
  /** Rewards of every response after its prompt, keeping what `backward` needs; one pass is open at a time. */
  forward(groups: readonly PromptGroup[]): Promise<ScoreTicket>;
  /**
   * Adds the gradient of a scalar loss to the accumulated gradients.
   * @param gradient `[R]` float32: d loss / d rewards
   */
  backward(ticket: ScoreTicket, gradient: Float32Array): Promise<void>;
  /** Drops the activations of a forward pass that will have no backward. */
  discard(ticket: ScoreTicket): Promise<void>;
  /** `[R]` float32 rewards without keeping activations. */
  score(groups: readonly PromptGroup[]): Promise<Float32Array>;
}
