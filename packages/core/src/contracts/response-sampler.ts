import type { ChatMessage } from './tokenizer.js';

/** A prompt that wants new responses. */
export interface SamplingRequest {
  /** Number of the row, returned with its responses. */
  readonly row: number;
  /** `[P]` prompt token ids as the policy sees them, generation prompt included. */
  readonly prompt: Int32Array;
  /** The conversation, where the row has one: what a chat server is asked. */
  readonly messages?: readonly ChatMessage[] | undefined;
  /** The prompt as text, where the row has no conversation. */
  readonly text?: string | undefined;
  /** Number of responses wanted, K. */
  readonly count: number;
  /** Seed of this request: the same seed gives the same responses whatever else is in flight, where the sampler can. */
  readonly seed: number;
}

/** One response. */
export interface SampledResponse {
  readonly text: string;
  /** Token ids of the response, the end-of-sequence id included when `finishReason` is `stop`. */
  readonly tokens: Int32Array;
  /** `stop`: it ended by itself; `length`: it was cut at the limit. */
  readonly finishReason: 'stop' | 'length';
}

/** The responses to one request, in no particular order of requests. */
export interface SampledResponses {
  readonly row: number;
  readonly responses: readonly SampledResponse[];
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
  /** Makes the sampler serve the policy in this directory; absent where it samples from the policy itself. */
  refresh?(modelDirectory: string, signal?: AbortSignal): Promise<void>;
  dispose?(): void | Promise<void>;
}
