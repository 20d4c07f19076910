import * as tf from '@tensorflow/tfjs';
import type { Kernel } from '../kernels.js';
import type { StateKernels } from '../state-kernels.js';
import { updateAdamW } from './adamw.js';
import { attention, attentionGradient } from './attention.js';
import { gatherWords, isPacked } from './bfloat16.js';
import { cachedAttention } from './cached-attention.js';
import { crossEntropy } from './cross-entropy.js';
import type { FedIndices } from './fed-indices.js';
import { product } from './product.js';
import { rowLists } from './row-lists.js';
import { runShader, runShaderInPlace } from './run-shader.js';
import type { AttentionForm } from './write-attention.js';

/** Adds up the rows that name a target: a thread for each number of the sum, in the order of the rows. */
const sumRows = (assignment: string): string => `
  fn compute(index : i32) {
    let width = uniforms.width;
    let count = uniforms.count;
    let list = index / width;
    let column = index % width;
    if (list >= count) { return; }
    var sum = 0.0;
    let end = lists[count + list + 1];
    for (var at = lists[count + list]; at < end; at++) {
      sum += rows[lists[2 * count + 1 + at] * width + column];
    }
    ${assignment}
  }
`;

/** Kernels of the WebGPU backend that take the place of portable ones: few dispatches, and no read of the GPU's numbers. */
export function webgpuKernels(fed: FedIndices): Readonly<Record<string, Kernel>> {
  return {
    constant: (_, { attributes }, { outputShapes }) => {
      const { data } = attributes as { readonly data: Float32Array | Int32Array };
      const isInt = data instanceof Int32Array;
      const tensor = tf.tensor(data, [...outputShapes[0]!], isInt ? 'int32' : 'float32');
      if (isInt) fed.note(tensor, data);
      return [tensor];
    },
    matmul: product,
    batchMatmul: product,
    gather: ([x, indices], { inputs }) => {
      const gather = isPacked(inputs[0]!) ? gatherWords : tf.gather;
      return [gather(x!, indices as tf.Tensor1D)];
    },
    crossEntropy: ([logits, targets]) => crossEntropy(logits as tf.Tensor2D, targets as tf.Tensor1D),
    kernel: (inputs, { attributes }) => {
      const form = attributes as AttentionForm;
      if (form.kernel === 'CachedAttention') return [cachedAttention(inputs, form)];
      return form.kernel === 'Attention' ? attention(inputs, form, fed) : attentionGradient(inputs, form, fed);
    },
    segmentSum: ([rows, indices], _, { outputShapes }) => {
      const shape = outputShapes[0]!;
      const { count, packed } = rowLists(fed, indices!, shape[0]!);
      const width = tf.util.sizeFromShape(shape.slice(1));
      const shader = {
        name: 'segmentSum',
        inputs: ['lists', 'rows'],
        uniforms: { width, count },
        runs: { threads: count * width },
        code: () => sumRows('result[index] = sum;'),
      };
      return [runShader(shader, [packed, rows!], shape)];
    },
  };
}

/** What changes states on the WebGPU backend: in place. */
export function webgpuStateKernels(fed: FedIndices): StateKernels {
  return {
    updateAdamW,
    add: (owned, other) => {
      const threads = owned.size;
      const code = () => `fn compute(index : i32) { if (index < uniforms.count) { result[index] += other[index]; } }`;
      const shader = { name: 'add', inputs: ['other'], uniforms: { count: threads }, runs: { threads }, code };
      return runShaderInPlace(shader, [other], owned);
    },
    addRows(owned, [rows, indices]) {
      const { count, packed } = rowLists(fed, indices!);
      const width = tf.util.sizeFromShape(owned.shape.slice(1));
      const shader = {
        name: 'addRows',
        inputs: ['lists', 'rows'],
        uniforms: { width, count },
        runs: { threads: count * width },
        code: () => sumRows('result[lists[list] * width + column] += sum;'),
      };
      return runShaderInPlace(shader, [packed, rows!], owned);
    },
    replaceRows,
    moveRows(owned, width, from, to) {
      const rows = tf.tidy(() => tf.gather(tf.reshape(owned, [-1, width]), from) as tf.Tensor2D);
      const replaced = replaceRows(owned, rows, to);
      rows.dispose();
      return replaced;
    },
  };
}

function replaceRows(owned: tf.Tensor, rows: tf.Tensor2D, indices: tf.Tensor1D): tf.Tensor {
  const shader = {
    name: 'replaceRows',
    inputs: ['rows', 'indices'],
    uniforms: { width: rows.shape[1], count: rows.size },
    runs: { threads: rows.size },
    code: () => `
      fn compute(index : i32) {
        if (index >= uniforms.count) { return; }
        let width = uniforms.width;
        result[indices[index / width] * width + index % width] = rows[index];
      }
    `,
  };
  return runShaderInPlace(shader, [rows, indices], owned);
}
