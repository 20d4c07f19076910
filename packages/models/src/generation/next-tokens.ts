import { MetaapoError, type TokenChoice } from '@metaapo/core/contracts';
import type { Session } from '@metaapo/engine';
import * as tf from '@tensorflow/tfjs';

/** What is added to the logit of a token that is left out. */
const LEFT_OUT = -1e30;
/** Most tokens that are sorted at first to find where top-p ends; all are, where that was too few. */
const SORTED_AT_FIRST = 256;

/**
 * Log-probabilities from which a choice draws, not normalised: temperature, top-k, top-p and min-p applied.
 * @param logits `[B, V]` float32, borrowed
 * @returns `[B, V]` float32, owned: very low where a token is left out
 */
export async function filterLogits(logits: tf.Tensor2D, choice: TokenChoice): Promise<tf.Tensor2D> {
  const { temperature, topK, topP, minP } = choice;
  const vocabulary = logits.shape[1];
  let scores = tf.tidy(() => {
    const tempered: tf.Tensor2D = tf.div(logits, temperature === 0 ? 1 : temperature);
    const isCut = topK !== undefined && topK < vocabulary;
    return isCut ? keepAbove(tempered, topKFloor(tempered, topK)) : tempered;
  });
  const cut = (floorOf: () => tf.Tensor): void => {
    const kept = tf.tidy(() => keepAbove(scores, floorOf()));
    scores.dispose();
    scores = kept;
  };
  if (topP !== undefined && topP < 1) {
    const floor = await topPFloor(scores, topP);
    cut(() => floor);
    floor.dispose();
  }
  if (minP !== undefined && minP > 0) cut(() => tf.add(tf.max(scores, 1, true), Math.log(minP)));
  return scores;
}

function keepAbove(scores: tf.Tensor2D, floor: tf.Tensor): tf.Tensor2D {
  return tf.add(scores, tf.mul(tf.cast(tf.less(scores, floor), 'float32'), LEFT_OUT));
}

/** The k-th largest score of each row, `[B, 1]`. */
function topKFloor(scores: tf.Tensor2D, k: number): tf.Tensor {
  return tf.slice(tf.topk(scores, k).values, [0, k - 1], [-1, 1]);
}

/** The score of the last token that top-p keeps, `[B, 1]`, owned: those before it do not reach `topP` together. */
async function topPFloor(scores: tf.Tensor2D, topP: number): Promise<tf.Tensor> {
  const vocabulary = scores.shape[1];
  for (let count = Math.min(SORTED_AT_FIRST, vocabulary); ; count = vocabulary) {
    const [floor, isShort] = tf.tidy(() => {
      const sorted = tf.topk(scores, count).values as tf.Tensor2D;
      const before = tf.cumsum(tf.exp(tf.sub(sorted, tf.logSumExp(scores, 1, true))), 1, true);
      const isKept = tf.less(before, topP);
      const lowest = tf.min(tf.where(isKept, sorted, tf.fill(sorted.shape, -LEFT_OUT)), 1, true);
      return [lowest, tf.any(tf.slice(isKept, [0, count - 1], [-1, 1]))];
    }) as [tf.Tensor, tf.Tensor];
    const isEnough = (await dataOf(isShort))[0] === 0 || count === vocabulary;
    if (isEnough) return floor;
    floor.dispose();
  }
}

/** Probabilities below this have fewer digits, or none. */
const SMALLEST_EXACT = 2 ** -126;

/** Tokens that were drawn, `[B]` each. */
export interface DrawnTokens {
  readonly tokens: Int32Array;
  /** Log-probability of each under the model itself. */
  readonly logprobs: Float32Array;
}

/**
 * Draws one token a row, by the inverse of the cumulative distribution at the given uniforms; greedy at temperature 0.
 * @param logits `[B, V]` float32 of the model, borrowed
 * @param uniforms `[B]` in [0, 1]
 * @param penalized `[B, V]` float32 logits to draw from in place of the model's, borrowed
 * @throws MetaapoError with code `numerics` where logits are not finite
 */
export async function drawTokens(
  logits: tf.Tensor2D,
  choice: TokenChoice,
  uniforms: Float32Array,
  penalized: tf.Tensor2D = logits,
): Promise<DrawnTokens> {
  const probabilities = tf.softmax(logits, 1);
  const isPlain = penalized === logits && isUnfiltered(choice);
  let tokens: Int32Array;
  if (choice.temperature === 0) tokens = Int32Array.from(await dataOf(tf.argMax(penalized, 1)));
  else if (isPlain) tokens = await drawAt(probabilities, uniforms);
  else tokens = await drawFiltered(penalized, choice, uniforms);
  const likelihood = await dataOf(tf.tidy(() => atColumns(probabilities, tokens)));
  probabilities.dispose();
  const isTiny = likelihood.some((probability) => probability < SMALLEST_EXACT);
  const logprobs = isTiny ? await logprobsOf(logits, tokens) : Float32Array.from(likelihood, Math.log);
  requireNumbers(logprobs);
  return { tokens, logprobs };
}

function requireNumbers(logprobs: Float32Array): void {
  if (logprobs.every(Number.isFinite)) return;
  throw new MetaapoError('numerics', 'the model gives logits that are no numbers', {
    where: 'generation',
    remedy: 'Its weights are broken, perhaps by a training that diverged: take an earlier checkpoint',
  });
}

/** As {@link drawTokens}, from the probabilities as they are, by the program `draw` of a session that has it. */
export async function drawByKernel(
  session: Session,
  logits: tf.Tensor2D,
  uniforms: Float32Array,
): Promise<DrawnTokens> {
  const shares = { data: uniforms, shape: [uniforms.length] };
  const drawn = await session.run('draw', { logits, shares });
  const tokens = Int32Array.from(await dataOf(drawn.tokens!));
  const logprobs = Float32Array.from(await dataOf(drawn.logprobs!));
  requireNumbers(logprobs);
  return { tokens, logprobs };
}

/** The numbers of a tensor, which is disposed. */
async function dataOf(owned: tf.Tensor): Promise<Float32Array | Int32Array | Uint8Array> {
  const data = await owned.data();
  owned.dispose();
  return data;
}

/** Log-probabilities out of the logits, which are exact where the probability is no exact float32. */
async function logprobsOf(logits: tf.Tensor2D, tokens: Int32Array): Promise<Float32Array> {
  return Float32Array.from(await dataOf(tf.tidy(() => tf.sub(atColumns(logits, tokens), tf.logSumExp(logits, 1)))));
}

/** One entry of each row of `[B, n]`, `[B]`. */
function atColumns(table: tf.Tensor2D, columns: Int32Array): tf.Tensor {
  const [, width] = table.shape;
  const places = columns.map((column, row) => row * width + column);
  return tf.gather(tf.reshape(table, [-1]), tf.tensor1d(places, 'int32'));
}

async function drawFiltered(logits: tf.Tensor2D, choice: TokenChoice, uniforms: Float32Array): Promise<Int32Array> {
  const filtered = await filterLogits(logits, choice);
  const probabilities = tf.softmax(filtered, 1);
  filtered.dispose();
  const tokens = await drawAt(probabilities, uniforms);
  probabilities.dispose();
  return tokens;
}

/** Whether a choice draws from the probabilities as they are. */
export function isUnfiltered({ temperature, topK, topP, minP }: TokenChoice): boolean {
  return temperature === 1 && topK === undefined && (topP ?? 1) >= 1 && (minP ?? 0) <= 0;
}

/** Probabilities that are added up one by one; the blocks of so many are found by their sums. */
const BLOCK = 128;

/**
 * The inverse of the cumulative distribution: first among sums of blocks, then in the block that was found.
 * @param probabilities `[B, V]`, borrowed
 * @returns `[B]`: tokens whose probability is above zero
 */
async function drawAt(probabilities: tf.Tensor2D, uniforms: Float32Array): Promise<Int32Array> {
  const [rows, vocabulary] = probabilities.shape;
  const count = Math.ceil(vocabulary / BLOCK);
  const missing = count * BLOCK - vocabulary;
  const blocks = tf.tidy(() => {
    const filling: [number, number] = [0, missing];
    const whole = missing === 0 ? probabilities : tf.pad2d(probabilities, [[0, 0], filling]);
    return tf.reshape(whole, [rows * count, BLOCK]);
  });
  const sums = await dataOf(tf.sum(blocks, 1));
  const found = Array.from(uniforms, (uniform, row) => entryAt(sums, row * count, count, uniform));
  const places = found.map(({ entry }, row) => row * count + entry);
  const inBlocks = await dataOf(tf.tidy(() => tf.gather(blocks, tf.tensor1d(places, 'int32'))));
  blocks.dispose();
  return Int32Array.from(
    found,
    ({ entry, rest }, row) => entry * BLOCK + entryAt(inBlocks, row * BLOCK, BLOCK, rest).entry,
  );
}

/**
 * Where a share, in [0, 1], of the sum of `count` weights falls: an entry above zero (the last, where rounding leads beyond
 * it), and the share of that entry which is left.
 */
function entryAt(
  weights: ArrayLike<number>,
  start: number,
  count: number,
  share: number,
): { readonly entry: number; readonly rest: number } {
  let total = 0;
  for (let at = 0; at < count; at++) total += weights[start + at]!;
  let [left, last] = [share * total, 0];
  for (let at = 0; at < count; at++) {
    const weight = weights[start + at]!;
    if (left < weight) return { entry: at, rest: left / weight };
    if (weight > 0) last = at;
    left -= weight;
  }
  return { entry: last, rest: 1 };
}

/**
 * Logits with those of tokens that are there already divided (where positive) or multiplied by the penalty.
 * @param logits `[B, V]` float32, borrowed
 * @param present the tokens of each row
 * @returns `[B, V]` float32, owned
 */
export async function penalizeRepetition(
  logits: tf.Tensor2D,
  present: readonly Iterable<number>[],
  penalty: number,
): Promise<tf.Tensor2D> {
  const values = Float32Array.from(await logits.data());
  const vocabulary = logits.shape[1];
  for (const [row, tokens] of present.entries()) {
    for (const token of new Set(tokens)) {
      const at = row * vocabulary + token;
      const value = values[at]!;
      values[at] = value > 0 ? value / penalty : value * penalty;
    }
  }
  return tf.tensor2d(values, logits.shape);
}
