import {
  endsWithStop,
  type Generation,
  type GenerationRequest,
  MetaapoError,
  type RequestGenerations,
  type Tokenizer,
} from '@metaapo/core/contracts';
import { isLost } from '../service/remote-model.js';
import { finalError } from '../service/service-failure.js';
import type { DrawnSequence } from '../wire/wire.js';
import type { Connection } from './connection.js';
import type { RemotePolicy } from './remote-policy.js';

/** What is drawn from, and how much at a time. */
export interface SamplingOptions {
  readonly connection: Connection;
  readonly policy: RemotePolicy;
  readonly tokenizer: Tokenizer | undefined;
  /** Requests under way at most. */
  readonly concurrency: number;
  /** Updates that the drawn weights may be behind the trained ones. */
  readonly staleness: number;
}

/** Weights that were made ready to be drawn from. */
interface Snapshot {
  readonly path: string;
  readonly life: number;
  readonly updates: number;
}

const ANYTHING = [{ prompt: Int32Array.of(0), response: Int32Array.of(0), fields: { weights: { scale: 1 } } }];

/** Weights to draw from, saved once for all who ask at the same time. */
function snapshotsOf({ connection, policy, staleness }: SamplingOptions) {
  let last: Snapshot | undefined;
  let saving: Promise<Snapshot> | undefined;
  const save = async (): Promise<Snapshot> => {
    const { path } = await policy.use((model) => connection.save(model, 'sampler'));
    last = { path, life: policy.life, updates: policy.updates };
    return last;
  };
  return {
    async current(): Promise<Snapshot> {
      const isFresh = last !== undefined && last.life === policy.life && policy.updates - last.updates <= staleness;
      if (isFresh) return last!;
      saving ??= save().finally(() => {
        saving = undefined;
      });
      return saving;
    },
    /** A snapshot that cannot be drawn from. */
    forget(snapshot: Snapshot): void {
      if (last === snapshot) last = undefined;
    },
  };
}

/**
 * Responses of the model on the service. What it draws from is saved when training has moved it by more than the bound on
 * staleness; a model that is lost meanwhile is restored, and its requests are repeated.
 */
export function createGenerate(options: SamplingOptions) {
  const { connection, policy } = options;
  const snapshots = snapshotsOf(options);
  const draw = async (request: GenerationRequest): Promise<readonly DrawnSequence[]> => {
    const patience = connection.service.patience();
    for (;;) {
      const snapshot = await snapshots.current();
      try {
        return await connection.sample(bodyOf(request, snapshot.path));
      } catch (error) {
        if (!isLost(error) || !(await patience.wait())) throw finalError(error);
        snapshots.forget(snapshot);
        // The model is asked for something that tells whether it is there, and comes back if it is not.
        await policy.read(ANYTHING);
      }
    }
  };
  return async function* generate(
    requests: readonly GenerationRequest[],
    signal?: AbortSignal,
  ): AsyncGenerator<RequestGenerations> {
    for (const request of requests) requirePossible(request, options.tokenizer);
    const underWay = new Map<number, Promise<RequestGenerations>>();
    let next = 0;
    while (next < requests.length || underWay.size > 0) {
      signal?.throwIfAborted();
      while (next < requests.length && underWay.size < options.concurrency) {
        const index = next++;
        const drawn = draw(requests[index]!).then((sequences) => ({
          request: index,
          generations: sequences.map((sequence) => generationOf(sequence, requests[index]!, options.tokenizer)),
        }));
        drawn.catch(() => undefined);
        underWay.set(index, drawn);
      }
      const done = await orAborted(Promise.race(underWay.values()), signal);
      underWay.delete(done.request);
      yield done;
    }
  };
}

function bodyOf(request: GenerationRequest, path: string): Readonly<Record<string, unknown>> {
  const { prompt, count, maxNewTokens, temperature, topK, topP, stopTokenIds, seed } = request;
  return {
    type: 'sample',
    prompt: { chunks: [{ type: 'encoded_text', tokens: [...prompt] }] },
    num_samples: count,
    model_path: path,
    sampling_params: {
      max_tokens: maxNewTokens,
      temperature,
      ...(topK !== undefined && { top_k: topK }),
      ...(topP !== undefined && { top_p: topP }),
      ...(stopTokenIds.length > 0 && { stop: [...stopTokenIds] }),
      seed: seed % 2 ** 31,
    },
  };
}

function requirePossible(
  { minP, repetitionPenalty, stopTexts = [] }: GenerationRequest,
  tokenizer: Tokenizer | undefined,
): void {
  const refuse = (option: string, remedy: string): never => {
    throw new MetaapoError('config', 'a service of the Tinker API does not sample so', {
      where: 'model tinker',
      expected: 'temperature, topK, topP, stop, seed',
      got: option,
      remedy,
    });
  };
  if (minP !== undefined) refuse('minP', 'Leave it out of the sampler, or use topP');
  if (repetitionPenalty !== undefined && repetitionPenalty !== 1) {
    refuse('repetitionPenalty', 'Leave it out of the sampler');
  }
  if (stopTexts.length > 0 && tokenizer === undefined) refuse('stop texts', 'Name the model of the tokenizer in text');
}

/** Stop texts are looked for here: what was drawn beyond them is left out, which changes no probability. */
function generationOf(
  { tokens, logprobs, stopReason }: DrawnSequence,
  { stopTexts = [], stopTokenIds }: GenerationRequest,
  tokenizer: Tokenizer | undefined,
): Generation {
  const end = stopTexts.length === 0 ? -1 : lengthUpToStop(tokens, stopTexts, tokenizer!);
  if (end >= 0) return { tokens: tokens.slice(0, end), logprobs: logprobs.slice(0, end), finishReason: 'stop' };
  const last = tokens.at(-1);
  const hasEnd = last !== undefined && stopTokenIds.includes(last);
  if (stopReason === 'length' || hasEnd || stopTokenIds.length === 0) {
    return { tokens, logprobs, finishReason: hasEnd ? 'stop' : stopReason };
  }
  // Some servers leave out the id that they stopped at.
  return {
    tokens: Int32Array.of(...tokens, stopTokenIds[0]!),
    logprobs: Float32Array.of(...logprobs, Number.NaN),
    finishReason: 'stop',
  };
}

function lengthUpToStop(tokens: Int32Array, stop: readonly string[], tokenizer: Tokenizer): number {
  const ids = [...tokens];
  for (let length = 1; length <= ids.length; length++) {
    if (endsWithStop(ids.slice(0, length), stop, tokenizer)) return length;
  }
  return -1;
}

/** A promise, or the signal's reason as soon as it is aborted. */
function orAborted<Value>(promise: Promise<Value>, signal: AbortSignal | undefined): Promise<Value> {
  if (signal === undefined) return promise;
  let stop: (() => void) | undefined;
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason);
    signal.addEventListener('abort', stop, { once: true });
  });
  return Promise.race([promise, aborted]).finally(() => signal.removeEventListener('abort', stop!));
}
