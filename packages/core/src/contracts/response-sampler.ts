import type { ChatContext, ChatMessage } from './tokenizer.js';
import type { TrainableModel } from './trainable-model.js';

/** A prompt that wants new responses. */
export interface SamplingRequest {
  /** Number of the row, returned with its responses. */
  readonly row: number;
  /** `[P]` prompt token ids as the policy sees them, generation prompt included. */
  readonly prompt: Int32Array;
  /** The conversation, where the row has one: what a chat server is asked. */
  readonly messages?: readonly ChatMessage[] | undefined;
  /** What the conversation has beside its messages: tools, arguments of the chat template. */
  readonly chat?: ChatContext | undefined;
  /** The prompt as text, where the row has no conversation. */
  readonly text?: string | undefined;
  /** Number of responses wanted, K. */
  readonly count: number;
  /** Seed of this request: the same seed gives the same responses whatever else is in flight, where the sampler can. */
  readonly seed: number;
  /** Whether the log-probabilities of the tokens are wanted; a sampler that has none leaves them out. */
  readonly logprobs?: boolean | undefined;
  /** Told of a response as it grows, its number and its text so far, by a sampler that writes token by token. */
  readonly onText?: ((response: number, text: string) => void) | undefined;
}

/** One response. */
export interface SampledResponse {
  /** What was said, special tokens left out; where a stop text ended it, what stands before that text. */
  readonly text: string;
  /**
   * Token ids of `text`. After `stop` the last one is an end-of-sequence id, also where a stop text ended the response:
   * its own ids are left out, and the end stands in their place. After `length` there is no end; a response that was cut
   * before it said anything may have no ids at all.
   */
  readonly tokens: Int32Array;
  /**
   * `[tokens]` float32, in nats: log p of each token under the model itself, before temperature and filters; NaN for an end
   * that was not drawn. Where they were asked for and the sampler has them.
   */
  readonly logprobs?: Float32Array | undefined;
  /** `stop`: it ended by itself, or at a stop text; `length`: it was cut at the limit. */
  readonly finishReason: 'stop' | 'length';
}

/** The responses to one request, in no particular order of requests. */
export interface SampledResponses {
  readonly row: number;
  readonly responses: readonly SampledResponse[];
}

/** What one server of a sampler says of a short response that it wrote. */
export interface ServerProbe {
  /** The server, for messages. */
  readonly server: string;
  /**
   * `[T]` token ids of the response, and `[T]` float32 log p of each, in nats, under the served model itself: before
   * temperature and filters. Absent where the server gives none, or none that belong to known tokens.
   */
  readonly response?: { readonly tokens: Int32Array; readonly logprobs: Float32Array } | undefined;
}

/** Short responses that one server drew from its model as it is: temperature 1, nothing cut off, nothing penalised. */
export interface ServerDraws {
  /** The server, for messages. */
  readonly server: string;
  /** Ids up to a limit of tokens, or with their end; those that are not known are left out. */
  readonly draws: readonly { readonly prompt: Int32Array; readonly tokens: Int32Array }[];
}

/** Writes responses with the current policy. */
export interface ResponseSampler {
  readonly id: string;
  readonly options: Readonly<Record<string, unknown>>;
  /**
   * Responses to every request, each yielded as soon as it is complete.
   * @throws MetaapoError with code `network` when a server stays out of reach
   */
  sample(requests: readonly SamplingRequest[], signal?: AbortSignal): AsyncIterable<SampledResponses>;
  /**
   * Responses of another model of the policy's vocabulary and chat template, such as the reference of an iteration, with
   * the same settings; absent where the sampler draws from the policy alone.
   * @param model lent until the last response; it has to generate
   */
  sampleFrom?(
    model: TrainableModel,
    requests: readonly SamplingRequest[],
    signal?: AbortSignal,
  ): AsyncIterable<SampledResponses>;
  /** Makes the sampler serve the policy in this directory; absent where it samples from the policy itself. */
  refresh?(modelDirectory: string, signal?: AbortSignal): Promise<void>;
  /**
   * What each of the servers computes for a short response to a request, whatever its `count`, to be compared with the
   * policy; absent where there is no server.
   * @throws MetaapoError with code `network` when one of them stays out of reach
   */
  probe?(request: SamplingRequest, signal?: AbortSignal): Promise<readonly ServerProbe[]>;
  /**
   * Looks whether each of the servers does what the settings say, by short responses to some requests, before any is paid
   * for; absent where there is no server.
   * @returns what they drew, to be compared with the policy's distribution
   * @throws MetaapoError with code `network` for a setting that a server ignores
   */
  checkSettings?(requests: readonly SamplingRequest[], signal?: AbortSignal): Promise<readonly ServerDraws[]>;
  dispose?(): void | Promise<void>;
}
