import { MetaapoError, type TokenChoice } from '@metaapo/core/contracts';
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
export function filterLogits(logits: tf.Tensor2D, choice: TokenChoice): tf.Tensor2D {
  const { temperature, topK, topP, minP } = choice;
  const vocabulary = logits.shape[1];
  return tf.tidy(() => {
    let scores: tf.Tensor2D = tf.div(logits, temperature === 0 ? 1 : temperature);
    if (topK !== undefined && topK < vocabulary) scores = keepAbove(scores, topKFloor(scores, topK));
    if (topP !== undefined && topP < 1) scores = keepAbove(scores, topPFloor(scores, topP));
    if (minP !== undefined && minP > 0) scores = keepAbove(scores, tf.add(tf.max(scores, 1, true), Math.log(minP)));
    return scores;
  });
}

function keepAbove(scores: tf.Tensor2D, floor: tf.Tensor): tf.Tensor2D {
  return tf.add(scores, tf.mul(tf.cast(tf.less(scores, floor), 'float32'), LEFT_OUT));
}

/** The k-th largest score of each row, `[B, 1]`. */
function topKFloor(scores: tf.Tensor2D, k: number): tf.Tensor {
  return tf.slice(tf.topk(scores, k).values, [0, k - 1], [-1, 1]);
}

/** The score of the last token that top-p keeps, `[B, 1]`: those before it do not reach `topP` together. */
function topPFloor(scores: tf.Tensor2D, topP: number): tf.Tensor {
  const vocabulary = scores.shape[1];
  const total = tf.logSumExp(scores, 1, true);
  for (let count = Math.min(SORTED_AT_FIRST, vocabulary); ; count = vocabulary) {
    const sorted = tf.topk(scores, count).values as tf.Tensor2D;
    const before = tf.cumsum(tf.exp(tf.sub(sorted, total)), 1, true);
    const isKept = tf.less(before, topP);
    const isEnough = count === vocabulary || !tf.any(tf.slice(isKept, [0, count - 1], [-1, 1])).dataSync()[0];
    if (isEnough) return tf.min(tf.where(isKept, sorted, tf.onesLike(sorted).mul(-LEFT_OUT)), 1, true);
  }
}

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
  const [tokens, logprobs] = tf.tidy(() => {
    const probabilities = tf.softmax(logits, 1);
    const isPlain = penalized === logits && isUnfiltered(choice);
    const ids =
      choice.temperature === 0
        ? (tf.argMax(penalized, 1) as tf.Tensor1D)
        : drawAt(isPlain ? probabilities : tf.softmax(filterLogits(penalized, choice), 1), uniforms);
    // The largest probability is exp(largest logit) over the sum of exponentials: no pass over the logits but two maxima.
    const logOfSum = tf.sub(tf.max(logits, 1), tf.log(tf.max(probabilities, 1)));
    const drawn = tf.gather(tf.reshape(logits, [-1]), placesIn(logits, ids));
    return [ids, tf.sub(drawn, logOfSum)] as const;
  });
  const result = { tokens: Int32Array.from(await tokens.data()), logprobs: Float32Array.from(await logprobs.data()) };
  tf.dispose([tokens, logprobs]);
  if (!result.logprobs.every(Number.isFinite)) {
    throw new MetaapoError('numerics', 'the model gives logits that are no numbers', {
      where: 'generation',
      remedy: 'Its weights are broken, perhaps by a training that diverged: take an earlier checkpoint',
    });
  }
  return result;
}

function isUnfiltered({ temperature, topK, topP, minP }: TokenChoice): boolean {
  return temperature === 1 && topK === undefined && (topP ?? 1) >= 1 && (minP ?? 0) <= 0;
}

/** Positions in `[B * n]` of one column `[B]` int32 of each row of `[B, n]`. */
function placesIn(table: tf.Tensor2D, columns: tf.Tensor1D): tf.Tensor1D {
  const [rows, width] = table.shape;
  return tf.add(tf.mul(tf.range(0, rows, 1, 'int32'), tf.scalar(width, 'int32')), columns);
}

/** Probabilities that are added up one by one; the blocks of so many are found by their sums. */
const BLOCK = 128;
/** Below 1 by so much that its product with a float32 is below that one. */
const LARGEST_UNIFORM = 1 - 2 ** -23;

/**
 * The inverse of the cumulative distribution: first among sums of blocks, then in the block that was found.
 * @param probabilities `[B, V]`, borrowed
 * @returns `[B]` int32: tokens whose probability is above zero
 */
function drawAt(probabilities: tf.Tensor2D, uniforms: Float32Array): tf.Tensor1D {
  const [rows, vocabulary] = probabilities.shape;
  const blocks = Math.ceil(vocabulary / BLOCK);
  const missing = blocks * BLOCK - vocabulary;
  const whole =
    missing === 0
      ? probabilities
      : tf.pad(probabilities, [
          [0, 0],
          [0, missing],
        ]);
  const blockRows = tf.reshape(whole, [rows * blocks, BLOCK]) as tf.Tensor2D;
  const sums = tf.reshape(tf.sum(blockRows, 1), [rows, blocks]) as tf.Tensor2D;
  const first = drawIn(sums, tf.tensor1d(uniforms));
  const second = drawIn(tf.gather(blockRows, placesIn(sums, first.index)), first.rest);
  return tf.add(tf.mul(first.index, tf.scalar(BLOCK, 'int32')), second.index);
}

/**
 * Where shares `[B]` in [0, 1] of the sums of rows `[B, n]` fall: the entries `[B]` int32, each above zero, and what is left
 * of the share in them, as a share of the entry.
 */
function drawIn(
  weights: tf.Tensor2D,
  shares: tf.Tensor1D,
): { readonly index: tf.Tensor1D; readonly rest: tf.Tensor1D } {
  const [rows, count] = weights.shape;
  const after = tf.cumsum(weights, 1) as tf.Tensor2D;
  const total = tf.slice(after, [0, count - 1], [-1, 1]);
  // Scaled by the sum as it was rounded, so that it always falls inside.
  const level = tf.mul(tf.reshape(tf.minimum(shares, LARGEST_UNIFORM), [rows, 1]), total);
  const index = tf.sum(tf.cast(tf.lessEqual(after, level), 'int32'), 1) as tf.Tensor1D;
  const places = placesIn(weights, index);
  const at = (table: tf.Tensor): tf.Tensor1D => tf.gather(tf.reshape(table, [-1]), places) as tf.Tensor1D;
  const entry = at(weights);
  const before = tf.sub(at(after), entry);
  const rest = tf.div(tf.sub(tf.reshape(level, [rows]), before), entry) as tf.Tensor1D;
  return { index, rest: tf.maximum(rest, 0) };
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
