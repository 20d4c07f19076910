import {
  type Generation,
  type GenerationRequest,
  MetaapoError,
  type RequestGenerations,
  type TokenChoice,
  yieldToEvents,
} from '@metaapo/core/contracts';
import { packByTokens, uniformOf } from '@metaapo/core/numerics';
import type { Session } from '@metaapo/engine';
import * as tf from '@tensorflow/tfjs';
import { PAGE_TOKENS, pagesOf } from '../network/decode.js';
import { feedsOf } from '../network/feeds.js';
import { layoutGroups } from '../network/layout.js';
import type { PassConfig } from '../network/network-config.js';
import { flightFeeds } from './flight.js';
import { drawTokens, penalizeRepetition } from './next-tokens.js';
import { type Admission, createSchedule, type Flying, type PendingRequest, type Schedule } from './schedule.js';
import { openStore, type Store } from './store.js';
import { layOut } from './store-layout.js';

/** Most tokens of prompts that are computed together, where one alone has not more: it bounds what lives meanwhile. */
const PREFILL_TOKENS = 1024;

/** What generation needs of a model. */
export interface GenerationOptions {
  readonly session: Session;
  readonly config: PassConfig;
  /** Tokens that the store of keys and values has room for. */
  readonly capacity: number;
}

/**
 * Responses to requests, continuously batched: a finished sequence leaves, and the next one enters when the store has
 * room for it. Prompts are computed once for the responses that are in flight together.
 * @throws MetaapoError with code `config` when a request alone is larger than the store
 */
export async function* generate(
  options: GenerationOptions,
  requests: readonly GenerationRequest[],
  signal?: AbortSignal,
): AsyncGenerator<RequestGenerations> {
  const { session, config, capacity } = options;
  for (const request of requests) checkRoom(request, pagesOf(capacity));
  const pending = requests.map(
    (request, index): PendingRequest => ({ index, request, done: Array.from({ length: request.count }) }),
  );
  const schedule = createSchedule(pending, pagesOf(capacity));
  const store = openStore<Flying>(session, config);
  let isComplete = false;
  try {
    while (!schedule.isDone) {
      await yieldToEvents(signal);
      const entering = schedule.admit();
      if (entering.length > 0) {
        await prefill(options, entering, schedule, store);
      } else {
        schedule.makeRoom();
        await decode(options, schedule.flight, store);
      }
      for (const finished of settle(schedule))
        yield { request: finished.index, generations: finished.done as Generation[] };
    }
    isComplete = true;
  } finally {
    for (const { stored } of pending) stored?.logits?.dispose();
    // What broke off may have left numbers in the store that are none, and would reach what is computed next.
    if (!isComplete) await session.run('clear', {});
  }
}

function checkRoom({ prompt, maxNewTokens }: GenerationRequest, pages: number): void {
  const alone = layOut([{ prompt }], () => pagesOf(maxNewTokens));
  if (alone.pages <= pages) return;
  throw new MetaapoError('config', 'a request is larger than the store of keys and values', {
    where: 'generation',
    expected: `at most ${pages} pages of ${PAGE_TOKENS} tokens`,
    got: `${alone.pages}, for ${prompt.length} tokens of the prompt and ${maxNewTokens} new ones`,
    remedy: 'Lower maxNewTokens, or raise the number of cached tokens',
  });
}

/** Computes the prompts that are not there yet, and draws the first token of each sequence that enters. */
async function prefill(
  options: GenerationOptions,
  entering: readonly Admission[],
  schedule: Schedule,
  store: Store<Flying>,
): Promise<void> {
  const wanting = [...new Set(entering.map(({ pending }) => pending))].filter(({ stored }) => stored === undefined);
  for (const own of wanting) own.stored = { length: own.request.prompt.length };
  const sequences = entering.map(({ pending, sample, expected }): Flying => {
    return { pending, prompt: pending.stored!, sample, expected, tokens: [], logprobs: [], stored: 0, hasLeft: false };
  });
  schedule.enter(sequences);
  await store.arrange(schedule.flight);
  const lengths = wanting.map(({ request }) => request.prompt.length);
  for (const [start, end] of packByTokens(lengths, PREFILL_TOKENS)) {
    await storePrompts(options, wanting.slice(start, end), store);
  }
  await appendDrawn(
    sequences,
    tf.concat(
      sequences.map(({ prompt }) => prompt.logits!),
      0,
    ),
  );
}

/** Computes prompts and puts their keys and values into their places. */
async function storePrompts(
  { session, config }: GenerationOptions,
  pending: readonly PendingRequest[],
  store: Store<Flying>,
): Promise<void> {
  const layout = layoutGroups(
    pending.map(({ request }) => ({ prompt: request.prompt, responses: [] })),
    config,
    // Every token has its row in the store.
    (count) => count,
  );
  const lengths = pending.map(({ request }) => request.prompt.length);
  const rows = store.rowsOf(pending.map(({ stored }) => stored!));
  const { logits } = await session.run('prefill', {
    ...feedsOf({ ...layout, predictingRows: lastRows(lengths) }, config),
    storeRows: { data: rows, shape: [rows.length / config.keyValueHeads, config.keyValueHeads] },
  });
  for (const [index, { stored }] of pending.entries()) {
    stored!.logits = tf.slice(logits as tf.Tensor2D, [index, 0], [1, -1]);
  }
  logits!.dispose();
}

function lastRows(lengths: readonly number[]): { data: Int32Array; shape: readonly number[] } {
  let end = 0;
  const data = Int32Array.from(lengths, (length) => {
    end += length;
    return end - 1;
  });
  return { data, shape: [data.length] };
}

/** One more token for every sequence in flight. */
async function decode(
  { session, config }: GenerationOptions,
  flight: readonly Flying[],
  store: Store<Flying>,
): Promise<void> {
  await store.arrange(flight);
  for (const sequence of flight) sequence.stored += 1;
  const { logits } = await session.run('decode', flightFeeds(store.layout, config));
  await appendDrawn(store.layout.sequences, logits as tf.Tensor2D);
}

/** Draws a token for each row of the logits and appends it to a sequence that has not left; the logits are disposed. */
async function appendDrawn(sequences: readonly Flying[], logits: tf.Tensor2D): Promise<void> {
  try {
    await drawAndAppend(sequences, logits);
  } finally {
    logits.dispose();
  }
}

async function drawAndAppend(sequences: readonly Flying[], logits: tf.Tensor2D): Promise<void> {
  for (const { choice, indices } of byChoice(sequences)) {
    const isAll = indices.length === sequences.length;
    const part = isAll ? logits : tf.tidy(() => tf.gather(logits, tf.tensor1d(indices, 'int32')));
    const penalized = await penalizedOf(
      part,
      indices.map((index) => sequences[index]!),
      choice,
    );
    const uniforms = Float32Array.from(indices, (index) => {
      const { pending, sample, tokens } = sequences[index]!;
      return uniformOf(['token', pending.request.seed, sample, tokens.length]);
    });
    const drawn = await drawTokens(part, choice, uniforms, penalized);
    penalized?.dispose();
    if (part !== logits) part.dispose();
    for (const [at, index] of indices.entries()) {
      const sequence = sequences[index]!;
      if (sequence.hasLeft) continue;
      sequence.tokens.push(drawn.tokens[at]!);
      sequence.logprobs.push(drawn.logprobs[at]!);
      sequence.pending.request.onToken?.(sequence.sample, sequence.tokens);
    }
  }
}

/** Logits with the penalty on tokens that are there already; none where nothing is penalised. */
async function penalizedOf(
  logits: tf.Tensor2D,
  sequences: readonly Flying[],
  { repetitionPenalty }: TokenChoice,
): Promise<tf.Tensor2D | undefined> {
  if (repetitionPenalty === undefined || repetitionPenalty === 1) return undefined;
  const present = sequences.map(({ pending, tokens }) => [...pending.request.prompt, ...tokens]);
  return penalizeRepetition(logits, present, repetitionPenalty);
}

/** The sequences of each way to draw. */
function byChoice(sequences: readonly Flying[]): readonly { choice: TokenChoice; indices: number[] }[] {
  const groups = new Map<string, { choice: TokenChoice; indices: number[] }>();
  for (const [index, { pending }] of sequences.entries()) {
    const { repetitionPenalty, temperature, topK, topP, minP } = pending.request;
    const key = JSON.stringify([repetitionPenalty, temperature, topK, topP, minP]);
    const group = groups.get(key) ?? { choice: pending.request, indices: [] };
    groups.set(key, group);
    group.indices.push(index);
  }
  return [...groups.values()];
}

function finishReason({ tokens, pending }: Flying): Generation['finishReason'] | undefined {
  const { stopTokenIds, isComplete, maxNewTokens } = pending.request;
  if (stopTokenIds.includes(tokens.at(-1)!) || isComplete?.(tokens)) return 'stop';
  return tokens.length >= maxNewTokens ? 'length' : undefined;
}

/** Takes finished sequences out of flight; returns the requests that are complete now. */
function settle(schedule: Schedule): readonly PendingRequest[] {
  const complete: PendingRequest[] = [];
  for (const sequence of schedule.flight) {
    const reason = finishReason(sequence);
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
