import type * as tf from '@tensorflow/tfjs';
import { runShader } from './run-shader.js';
import { reductions, THREADS } from './workgroup-sums.js';
import { type AttentionForm, attentionName, writeBound } from './write-attention.js';

/**
 * Attention of one query a sequence to its keys in a cache: a workgroup a query and head, a thread a key for the scores and a
 * thread a column for the output.
 * @param inputs queries `[N*h, d]`, caches of keys and values `[R, d]`, sequences `[N, 6]` (borrowed)
 * @returns like the queries, owned
 */
export function cachedAttention(inputs: readonly tf.Tensor[], form: AttentionForm): tf.Tensor {
  const [query, keys, values, sequences] = inputs as readonly [tf.Tensor2D, tf.Tensor2D, tf.Tensor2D, tf.Tensor2D];
  const [rows, dim] = query.shape;
  const shader = {
    name: attentionName('cached attention', form, dim),
    inputs: ['query', 'keys', 'values', 'sequences'],
    uniforms: { rows },
    runs: { groups: rows },
    code: () => write(form, dim),
  };
  return runShader(shader, [query, keys, values, sequences], query.shape);
}

function write({ heads, groups, window, cap }: AttentionForm, dim: number): string {
  const columns = Math.ceil(dim / THREADS);
  return `${reductions()}
  var<workgroup> sequence_ : array<i32, 6>;
  var<workgroup> query_ : array<f32, ${dim}>;
  var<workgroup> weights_ : array<f32, ${THREADS}>;
  fn compute(index : i32) {
    let thread = i32(localIndex);
    let row = min(index, uniforms.rows - 1);
    if (thread < 6) { sequence_[thread] = sequences[row / ${heads} * 6 + thread]; }
    for (var i = thread; i < ${dim}; i += ${THREADS}) { query_[i] = query[row * ${dim} + i]; }
    let sequence = workgroupUniformLoad(&sequence_);
    let group = row % ${heads} / ${heads / groups};
    let all = sequence[2] + sequence[5];
    let skipped = ${window === 0 ? '0' : `max(0, all - ${window})`};
    let inPrompt = max(0, sequence[2] - skipped);
    let count = all - skipped;
    let promptRow = sequence[0] + group * sequence[1] + skipped;
    let ownRow = sequence[3] + group * sequence[4] + max(0, skipped - sequence[2]) - inPrompt;
    var top = -1e30;
    var total = 0.0;
    var sum : array<f32, ${columns}>;
    for (var first = 0; first < count; first += ${THREADS}) {
      let key = first + thread;
      var score = -1e30;
      if (key < count) {
        let at = (key + select(ownRow, promptRow, key < inPrompt)) * ${dim};
        score = 0.0;
        for (var i = 0; i < ${dim}; i++) { score += query_[i] * keys[at + i]; }
        ${writeBound(cap)}
      }
      let next = max(top, reduceMax(score, thread));
      let weight = select(0.0, exp(score - next), key < count);
      weights_[thread] = weight;
      let shrink = exp(top - next);
      total = total * shrink + reduceSum(weight, thread);
      top = next;
      for (var c = 0; c < ${columns}; c++) {
        let column = min(c * ${THREADS} + thread, ${dim - 1});
        var part = sum[c] * shrink;
        for (var k = 0; k < min(${THREADS}, count - first); k++) {
          let at = first + k + select(ownRow, promptRow, first + k < inPrompt);
          part += weights_[k] * values[at * ${dim} + column];
        }
        sum[c] = part;
      }
      workgroupBarrier();
    }
    let inverse = select(0.0, 1.0 / total, total > 0.0);
    for (var c = 0; c < ${columns}; c++) {
      let column = c * ${THREADS} + thread;
      if (index < uniforms.rows && column < ${dim}) { result[row * ${dim} + column] = sum[c] * inverse; }
    }
  }`;
}
