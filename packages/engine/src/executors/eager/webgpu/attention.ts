import * as tf from '@tensorflow/tfjs';
import { type AttentionWork, attentionWork } from './attention-work.js';
import type { FedIndices } from './fed-indices.js';
import { runShader } from './run-shader.js';
import {
  type AttentionForm,
  attentionName,
  writeForward,
  writeKeyGradient,
  writeQueryGradient,
  writeStatistics,
  writtenAttention,
} from './write-attention.js';

type Matrix = tf.Tensor2D;

function workOf(segments: tf.Tensor, tokens: number, { window }: AttentionForm, fed: FedIndices): AttentionWork {
  return fed.derive(segments, `attention ${window}`, (data) => attentionWork(data, tokens, window));
}

/**
 * Attention by tiles (arXiv 2205.14135), a thread a query; keys and values go through the workgroup's memory.
 * @param inputs queries `[N*h, d]`, keys and values `[N*g, d]`, segments `[S, 4]` (borrowed)
 * @returns the output `[N*h, d]`, and `[N*h, 2]`: the largest score and the inverse sum of exponentials (owned)
 */
export function attention(inputs: readonly tf.Tensor[], form: AttentionForm, fed: FedIndices): readonly tf.Tensor[] {
  const [query, key, value, segments] = inputs as readonly [Matrix, Matrix, Matrix, Matrix];
  const [rows, dim] = query.shape;
  const { tiles } = workOf(segments, rows / form.heads, form, fed);
  const code = writtenAttention(form, dim);
  const count = tiles.shape[0];
  const shader = {
    name: attentionName('attention', form, dim),
    inputs: ['query', 'key', 'value', 'tiles'],
    uniforms: { tiles: count, rows },
    runs: { groups: count * form.heads },
    code: () => writeForward(code),
  };
  return cutInTwo(runShader(shader, [query, key, value, tiles], [rows * (dim + 2)]), [rows, dim], [rows, 2]);
}

/**
 * The gradients of queries, keys and values: the scores are computed again, once for the queries and once for the keys.
 * @param inputs the gradient of the output, what {@link attention} gave, and its inputs (borrowed)
 */
export function attentionGradient(
  inputs: readonly tf.Tensor[],
  form: AttentionForm,
  fed: FedIndices,
): readonly tf.Tensor[] {
  type Inputs = readonly [Matrix, Matrix, Matrix, Matrix, Matrix, Matrix, Matrix];
  const [gradient, output, scales, query, key, value, segments] = inputs as Inputs;
  const [rows, dim] = query.shape;
  const { tiles, keyTiles, runs } = workOf(segments, rows / form.heads, form, fed);
  const code = writtenAttention(form, dim);
  const statistics = runShader(
    {
      name: `attention statistics ${dim}`,
      inputs: ['gradient', 'output', 'scales'],
      uniforms: { rows },
      runs: { threads: rows },
      code: () => writeStatistics(dim),
    },
    [gradient, output, scales],
    [rows, 3],
  );
  const [count, keyCount] = [tiles.shape[0], keyTiles.shape[0]];
  const forQueries = {
    name: attentionName('attention gradient of queries', form, dim),
    inputs: ['gradient', 'statistics', 'query', 'key', 'value', 'tiles'],
    uniforms: { tiles: count },
    runs: { groups: count * form.heads },
    code: () => writeQueryGradient(code),
  };
  const forKeys = {
    name: attentionName('attention gradient of keys', form, dim),
    inputs: ['gradient', 'statistics', 'query', 'key', 'value', 'keyTiles', 'runs'],
    uniforms: { tiles: keyCount, size: key.size },
    runs: { groups: keyCount * form.groups },
    code: () => writeKeyGradient(code),
  };
  const shared = [gradient, statistics, query, key, value];
  const dQuery = runShader(forQueries, [...shared, tiles], query.shape);
  const both = runShader(forKeys, [...shared, keyTiles, runs], [2 * key.size]);
  statistics.dispose();
  return [dQuery, ...cutInTwo(both, key.shape, value.shape)];
}

/** The two matrices that a shader wrote one behind the other; the whole is disposed of. */
function cutInTwo(
  whole: tf.Tensor,
  first: readonly [number, number],
  second: readonly [number, number],
): readonly [tf.Tensor, tf.Tensor] {
  const size = first[0] * first[1];
  const parts = tf.tidy((): [tf.Tensor, tf.Tensor] => [
    tf.reshape(tf.slice(whole, 0, size), [...first]),
    tf.reshape(tf.slice(whole, size, second[0] * second[1]), [...second]),
  ]);
  whole.dispose();
  return parts;
}
