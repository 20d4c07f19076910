import {
  type Generation,
  type GenerationRequest,
  MetaapoError,
  type RequestGenerations,
  type TokenChoice,
} from '@metaapo/core/contracts';
import { uniformOf } from '@metaapo/core/numerics';
import type { FedTensor, Session } from '@metaapo/engine';
import * as tf from '@tensorflow/tfjs';
import { feedsOf } from '../network/feeds.js';
import { layoutGroups } from '../network/layout.js';
import type { NetworkConfig, PassConfig } from '../network/network-config.js';
import { flightFeeds, type Sequence, type StoredPrompt, spreadRows } from './flight.js';
import { drawTokens, penalizeRepetition } from './next-tokens.js';
import { createTokenStore, type TokenStore } from './token-store.js';

/** What generation needs of a model. */
export interface GenerationOptions {
  readonly session: Session;
  readonly config: PassConfig;
  /** Tokens that the store of keys and values has room for. */
  readonly capacity: number;
}

interface PendingRequest {
  readonly index: number;
  readonly request: GenerationRequest;
  readonly done: (Generation | undefined)[];
}

/**
 * Responses to requests, continuously batched: a finished sequence leaves, and the next prompt enters when the store has
 * room for it. Prompts are computed once for all of their responses.
 * @throws MetaapoError with code `config` when a request alone is larger than the store
 */
export async function* generate(
  options: GenerationOptions,
  requests: readonly GenerationRequest[],
  signal?: AbortSignal,
): AsyncGenerator<RequestGenerations> {
  const { session, config, capacity } = options;
  const store = createTokenStore(capacity);
  const waiting = requests.map((request, index): PendingRequest => {
    checkRoom(request, capacity);
    return { index, request, done: Array.from({ length: request.count }) };
  });
  const next = waiting.flatMap((pending) => admissionsOf(pending, capacity));
  let flight: Flying[] = [];
  try {
    while (next.length > 0 || flight.length > 0) {
      signal?.throwIfAborted();
      const entering = admit(next, store);
      const finished: Flying[] = [];
      if (entering.length > 0) {
        await releaseUsed(session, store, config);
        const started = await prefill(options, entering, store);
        flight.push(...started.flight);
        finished.push(...started.finished);
      } else if (flight.length > 0) {
        finished.push(...(await decode(options, flight, store)));
      }
      flight = flight.filter((flying) => !finished.includes(flying));
      for (const pending of settle(finished, flight, store)) yield resultOf(pending);
    }
  } finally {
    // Also when the caller stops or a step fails: the session's store has to be zero for the next one.
    store.giveBackAll();
    await releaseUsed(session, store, config);
  }
}

/** A part of a request that fits into the store at once. */
interface Admission {
  readonly pending: PendingRequest;
  readonly samples: readonly number[];
}

interface Flying extends Sequence {
  readonly pending: PendingRequest;
}

const roomOf = ({ pending: { request }, samples }: Admission): number =>
  request.prompt.length + samples.length * request.maxNewTokens;

function checkRoom({ prompt, maxNewTokens }: GenerationRequest, capacity: number): void {
  if (prompt.length + maxNewTokens <= capacity) return;
  throw new MetaapoError('config', 'a request is larger than the store of keys and values', {
    where: 'generation',
    expected: `at most ${capacity} tokens`,
    got: `${prompt.length} of the prompt and ${maxNewTokens} new ones`,
    remedy: 'Lower maxNewTokens, or raise the number of cached tokens',
  });
}

function admissionsOf(pending: PendingRequest, capacity: number): Admission[] {
  const { prompt, maxNewTokens, count } = pending.request;
  const atOnce = Math.max(1, Math.floor((capacity - prompt.length) / maxNewTokens));
  const admissions: Admission[] = [];
  for (let start = 0; start < count; start += atOnce) {
    const samples = Array.from({ length: Math.min(atOnce, count - start) }, (_, at) => start + at);
    admissions.push({ pending, samples });
  }
  return admissions;
}

/** Takes from the front of the queue what the store has room for. */
function admit(next: Admission[], store: TokenStore): Admission[] {
  const entering: Admission[] = [];
  while (next.length > 0 && roomOf(next[0]!) <= store.free) {
    store.reserve(roomOf(next[0]!));
    entering.push(next.shift()!);
  }
  return entering;
}

/** Computes the prompts that enter, and draws the first token of each of their sequences. */
async function prefill(
  { session, config }: GenerationOptions,
  entering: readonly Admission[],
  store: TokenStore,
): Promise<{ readonly flight: Flying[]; readonly finished: Flying[] }> {
  const layout = layoutGroups(
    entering.map(({ pending }) => ({ prompt: pending.request.prompt, responses: [] })),
    config,
    // Every token has its row in the store.
    (count) => count,
  );
  const stored = entering.map(
    ({ pending: { request } }): StoredPrompt => ({ request, rows: store.take(request.prompt.length) }),
  );
  const rows = stored.flatMap((prompt) => [...prompt.rows]);
  const groups = config.keyValueHeads;
  const { logits } = await session.run('prefill', {
    ...feedsOf({ ...layout, predictingRows: lastRows(stored) }, config),
    storeRows: {
      data: spreadRows(
        rows.map((row) => [row]),
        groups,
        1,
      ),
      shape: [rows.length, groups],
    },
  });
  const sequences = entering.flatMap(({ pending, samples }, index) =>
    samples.map((sample): Flying => ({ pending, prompt: stored[index]!, sample, tokens: [], logprobs: [], rows: [] })),
  );
  const prompts = Int32Array.from(entering.flatMap(({ samples }, index) => samples.map(() => index)));
  const repeated = tf.tidy(() => tf.gather(logits as tf.Tensor2D, tf.tensor1d(prompts, 'int32')));
  logits!.dispose();
  await appendDrawn(sequences, repeated);
  const finished = sequences.filter((sequence) => finishReason(sequence) !== undefined);
  return { flight: sequences, finished };
}

function lastRows(prompts: readonly StoredPrompt[]): { data: Int32Array; shape: readonly number[] } {
  let end = 0;
  const data = Int32Array.from(prompts, ({ rows }) => {
    end += rows.length;
    return end - 1;
  });
  return { data, shape: [data.length] };
}

/** One more token for every sequence in flight; returns those that are complete. */
async function decode(
  { session, config }: GenerationOptions,
  flight: readonly Flying[],
  store: TokenStore,
): Promise<Flying[]> {
  const rows = store.take(flight.length);
  for (const [index, sequence] of flight.entries()) sequence.rows.push(rows[index]!);
  const feeds: Readonly<Record<string, FedTensor>> = flightFeeds(flight, config);
  const { logits } = await session.run('decode', feeds);
  await appendDrawn(flight, logits as tf.Tensor2D);
  return flight.filter((sequence) => finishReason(sequence) !== undefined);
}

/** Draws a token for each row of the logits and appends it; the logits are disposed. */
async function appendDrawn(sequences: readonly Flying[], logits: tf.Tensor2D): Promise<void> {
  for (const { choice, indices } of byChoice(sequences)) {
    const isAll = indices.length === sequences.length;
    let part = isAll ? logits : tf.tidy(() => tf.gather(logits, tf.tensor1d(indices, 'int32')));
    if (choice.repetitionPenalty !== undefined && choice.repetitionPenalty !== 1) {
      const present = indices.map((index) => [
        ...sequences[index]!.pending.request.prompt,
        ...sequences[index]!.tokens,
      ]);
      const penalized = await penalizeRepetition(part, present, choice.repetitionPenalty);
      if (!isAll) part.dispose();
      part = penalized;
    }
    const uniforms = Float32Array.from(indices, (index) => {
      const { pending, sample, tokens } = sequences[index]!;
      return uniformOf(['token', pending.request.seed, sample, tokens.length]);
    });
    const drawn = await drawTokens(part, choice, uniforms);
    if (part !== logits) part.dispose();
    for (const [at, index] of indices.entries()) {
      sequences[index]!.tokens.push(drawn.tokens[at]!);
      sequences[index]!.logprobs.push(drawn.logprobs[at]!);
    }
  }
  logits.dispose();
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

/** Notes finished sequences and gives their rows back; returns the requests that are complete now. */
function settle(finished: readonly Flying[], flight: readonly Flying[], store: TokenStore): PendingRequest[] {
  const complete: PendingRequest[] = [];
  for (const sequence of finished) {
    const { pending, sample, tokens, logprobs, rows } = sequence;
    pending.done[sample] = {
      tokens: Int32Array.from(tokens),
      logprobs: Float32Array.from(logprobs),
      finishReason: finishReason(sequence)!,
    };
    store.giveBack(rows, pending.request.maxNewTokens - rows.length);
    if (pending.done.every((generation) => generation !== undefined)) complete.push(pending);
  }
  const alive = new Set(flight.map(({ prompt }) => prompt));
  const left = new Set(finished.map(({ prompt }) => prompt).filter((prompt) => !alive.has(prompt)));
  for (const { rows } of left) store.giveBack(rows, 0);
  return complete;
}

function resultOf({ index, done }: PendingRequest): RequestGenerations {
  return { request: index, generations: done as Generation[] };
}

async function releaseUsed(session: Session, store: TokenStore, { keyValueHeads }: NetworkConfig): Promise<void> {
  const used = store.takeUsed();
  if (used.length === 0) return;
  const rows = spreadRows(
    [...used].map((row) => [row]),
    keyValueHeads,
    1,
  );
  await session.run('release', { rows: { data: rows, shape: [rows.length] } });
}
