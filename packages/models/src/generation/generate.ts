import {
  endsWithStop,
  type Generation,
  type GenerationRequest,
  MetaapoError,
  type RequestGenerations,
  type Tokenizer,
  yieldToEvents,
} from '@metaapo/core/contracts';
import { packByTokens } from '@metaapo/core/numerics';
import type { Session } from '@metaapo/engine';
import * as tf from '@tensorflow/tfjs';
import { PAGE_TOKENS, pagesOf } from '../transformer/decode.js';
import { feedsOf } from '../transformer/feeds.js';
import { layoutGroups } from '../transformer/layout.js';
import { FINE_SIZES } from '../transformer/size-class.js';
import type { PassConfig } from '../transformer/transformer-config.js';
import { appendDrawn } from './append-drawn.js';
import { batchFeeds } from './batch-feeds.js';
import { type KvCache, openKvCache } from './kv-cache.js';
import { layOut } from './kv-cache-layout.js';
import {
  type Admission,
  createSchedule,
  type PendingRequest,
  type RunningSequence,
  type Schedule,
} from './schedule.js';

/** Most tokens of prompts that are computed together, where one alone has not more: it bounds what lives meanwhile. */
const PREFILL_TOKENS = 1024;

/** What generation needs of a model. */
export interface GenerationOptions {
  readonly session: Session;
  readonly config: PassConfig;
  /** Tokens that the KV cache has room for. */
  readonly capacity: number;
  /** Reads stop texts. */
  readonly tokenizer?: Tokenizer | undefined;
}

/**
 * Responses to requests, continuously batched: a finished sequence leaves, and the next one enters when the cache has
 * room for it. Prompts are computed once for the responses that are in the batch together.
 * @throws MetaapoError with code `config` when a request alone is larger than the cache, or has stop texts that no tokenizer
 * reads
 */
export async function* generate(
  options: GenerationOptions,
  requests: readonly GenerationRequest[],
  signal?: AbortSignal,
): AsyncGenerator<RequestGenerations> {
  const { session, config, capacity, tokenizer } = options;
  checkRequests(requests, options);
  const pending = requests.map(
    (request, index): PendingRequest => ({ index, request, done: Array.from({ length: request.count }) }),
  );
  const schedule = createSchedule(pending, config.sizes.room(pagesOf(capacity)), config);
  const cache = openKvCache<RunningSequence>(session, config);
  let isComplete = false;
  try {
    while (!schedule.isDone) {
      await yieldToEvents(signal);
      const entering = schedule.admit();
      if (entering.length > 0) {
        await prefill(options, entering, schedule, cache);
      } else {
        schedule.makeRoom();
        await decode(options, schedule.batch, cache);
      }
      for (const finished of settle(schedule, tokenizer))
        yield { request: finished.index, generations: finished.done as Generation[] };
    }
    isComplete = true;
  } finally {
    for (const { cached } of pending) cached?.logits?.dispose();
    // What broke off may have left numbers in the cache that are none, and would reach what is computed next.
    if (!isComplete) await session.run('clear', {});
  }
}

/** The form of a request alone: others need no more than their cache has room for. */
const ALONE = { batchPieces: 1, sizes: FINE_SIZES };

/**
 * Looks, without a model, whether every request can be answered: each alone has room in the KV cache.
 * @throws MetaapoError with code `config` for a request that is larger, or has stop texts that no tokenizer reads
 */
export function checkRequests(
  requests: readonly GenerationRequest[],
  { capacity, tokenizer }: Pick<GenerationOptions, 'capacity' | 'tokenizer'>,
): void {
  const pages = pagesOf(capacity);
  for (const request of requests) {
    checkStopTexts(request, tokenizer);
    const { prompt, maxNewTokens } = request;
    const alone = layOut([{ prompt }], () => pagesOf(maxNewTokens), ALONE);
    if (alone.pages <= pages) continue;
    throw new MetaapoError('config', 'a request is larger than the KV cache', {
      where: 'generation',
      expected: `at most ${pages} pages of ${PAGE_TOKENS} tokens`,
      got: `${alone.pages}, for ${prompt.length} tokens of the prompt and ${maxNewTokens} new ones`,
      remedy: 'Lower maxNewTokens, or raise the number of cached tokens',
    });
  }
}

function checkStopTexts({ stopTexts }: GenerationRequest, tokenizer: Tokenizer | undefined): void {
  if (stopTexts === undefined || tokenizer !== undefined) return;
  throw new MetaapoError('config', 'stop texts need a tokenizer', {
    where: 'generation',
    got: 'a model without one',
    remedy: 'Add tokenizer.json to the model directory, or leave the stop texts out',
  });
}

/** Computes the prompts that are not there yet, and draws the first token of each sequence that enters. */
async function prefill(
  options: GenerationOptions,
  entering: readonly Admission[],
  schedule: Schedule,
  cache: KvCache<RunningSequence>,
): Promise<void> {
  const wanting = [...new Set(entering.map(({ pending }) => pending))].filter(({ cached }) => cached === undefined);
  for (const own of wanting) own.cached = { length: own.request.prompt.length };
  const sequences = entering.map(({ pending, sample, expected }): RunningSequence => {
    return { pending, prompt: pending.cached!, sample, expected, tokens: [], logprobs: [], cached: 0, hasLeft: false };
  });
  schedule.enter(sequences);
  await cache.arrange(schedule.batch);
  const lengths = wanting.map(({ request }) => request.prompt.length);
  for (const [start, end] of packByTokens(lengths, PREFILL_TOKENS)) {
    await cachePrompts(options, wanting.slice(start, end), cache);
  }
  await appendDrawn(
    options,
    sequences,
    tf.concat(
      sequences.map(({ prompt }) => prompt.logits!),
      0,
    ),
  );
}

/** Computes prompts and puts their keys and values into their places. */
async function cachePrompts(
  { session, config }: GenerationOptions,
  pending: readonly PendingRequest[],
  cache: KvCache<RunningSequence>,
): Promise<void> {
  const layout = layoutGroups(
    pending.map(({ request }) => ({ prompt: request.prompt, responses: [] })),
    config,
    config.sizes.places,
  );
  const lengths = pending.map(({ request }) => request.prompt.length);
  const [tokens] = layout.tokens.shape as [number];
  const rows = cache.rowsOf(
    pending.map(({ cached }) => cached!),
    tokens,
  );
  const { logits } = await session.run('prefill', {
    ...feedsOf({ ...layout, predictingRows: lastRows(lengths, config.sizes.places(lengths.length)) }, config),
    cacheRows: { data: rows, shape: [tokens, config.keyValueHeads] },
  });
  for (const [index, { cached }] of pending.entries()) {
    cached!.logits = tf.slice(logits as tf.Tensor2D, [index, 0], [1, -1]);
  }
  logits!.dispose();
}

/** @param count to which it is filled up with the first row */
function lastRows(lengths: readonly number[], count: number): { data: Int32Array; shape: readonly number[] } {
  const data = new Int32Array(count);
  let end = 0;
  for (const [index, length] of lengths.entries()) {
    end += length;
    data[index] = end - 1;
  }
  return { data, shape: [count] };
}

/** One more token for every sequence in the batch. */
async function decode(
  options: GenerationOptions,
  batch: readonly RunningSequence[],
  cache: KvCache<RunningSequence>,
): Promise<void> {
  const { session, config } = options;
  await cache.arrange(batch);
  for (const sequence of batch) sequence.cached += 1;
  const { logits } = await session.run('decode', batchFeeds(cache.layout, config));
  const { sequences } = cache.layout;
  await appendDrawn(options, sequences, firstRows(logits as tf.Tensor2D, sequences.length));
}

/** The first rows, where there are more behind them; the tensor is disposed then. */
function firstRows(logits: tf.Tensor2D, count: number): tf.Tensor2D {
  if (logits.shape[0] === count) return logits;
  const rows = tf.slice(logits, [0, 0], [count, -1]);
  logits.dispose();
  return rows;
}

function finishReason(
  { tokens, pending }: RunningSequence,
  tokenizer: Tokenizer | undefined,
): Generation['finishReason'] | undefined {
  const { stopTokenIds, stopTexts, maxNewTokens } = pending.request;
  if (stopTokenIds.includes(tokens.at(-1)!)) return 'stop';
  if (stopTexts !== undefined && endsWithStop(tokens, stopTexts, tokenizer!)) return 'stop';
  return tokens.length >= maxNewTokens ? 'length' : undefined;
}

/** Takes finished sequences out of the batch; returns the requests that are complete now. */
function settle(schedule: Schedule, tokenizer: Tokenizer | undefined): readonly PendingRequest[] {
  const complete: PendingRequest[] = [];
  for (const sequence of schedule.batch) {
    const reason = finishReason(sequence, tokenizer);
    if (reason === undefined) continue;
    const { pending, sample, tokens, logprobs } = sequence;
    pending.done[sample] = {
      tokens: Int32Array.from(tokens),
      logprobs: Float32Array.from(logprobs),
      finishReason: reason,
    };
    schedule.leave(sequence);
    if (pending.done.every((generation) => generation !== undefined)) complete.push(pending);
  }
  return complete;
}
