import { bfloat16FromFloat32, float32FromBfloat16 } from '@metaapo/core/storage';
import * as tf from '@tensorflow/tfjs';
import type { Shape, Value } from '../../../program/index.js';
import { runShader } from './run-shader.js';

/**
 * WebGPU has no numbers of two bytes that every adapter could read. Weights, which nothing writes, lie two to a word. All
 * other bfloat16 values are float32 ones that whoever reads them rounds, so rounding them takes no shader of its own.
 */
export function isPacked({ node, dtype, shape }: Value): boolean {
  if (dtype !== 'bfloat16' || !isPackable(shape)) return false;
  return node.operation === 'readState' || (node.operation === 'gather' && isPacked(node.inputs[0]!));
}

/** Rows begin with a word. */
function isPackable(shape: Shape): boolean {
  const width = shape.at(-1);
  return shape.length > 1 && typeof width === 'number' && width % 2 === 0;
}

/**
 * A bfloat16 state `[..., w]` of the numbers that it is written with.
 * @returns owned: int32 `[..., w/2]`, the number of the lower place in the lower half; float32 where w is odd
 */
export function narrowState(data: Float32Array, shape: readonly number[]): tf.Tensor {
  const words = bfloat16FromFloat32(data);
  if (!isPackable(shape)) return tf.tensor(float32FromBfloat16(words), [...shape], 'float32');
  return tf.tensor(new Int32Array(words.buffer), [...shape.slice(0, -1), shape.at(-1)! / 2], 'int32');
}

/** The numbers of {@link narrowState}. */
export function widenedNumbers(data: Float32Array | Int32Array): Float32Array {
  if (data instanceof Float32Array) return data;
  return float32FromBfloat16(new Uint16Array(data.buffer, data.byteOffset, 2 * data.length));
}

/**
 * Rows of packed numbers. TensorFlow.js' own shader takes whole numbers through float32 ones, which do not hold every word.
 * @returns owned, packed as they were
 */
export function gatherWords(words: tf.Tensor, indices: tf.Tensor1D): tf.Tensor {
  const shape = [indices.size, ...words.shape.slice(1)];
  const width = words.size / words.shape[0]!;
  const count = indices.size * width;
  const shader = {
    name: 'gather words',
    inputs: ['words', 'indices'],
    uniforms: { width, count },
    runs: { threads: count },
    code: () => `fn compute(index : i32) {
      if (index >= uniforms.count) { return; }
      result[index] = words[indices[index / uniforms.width] * uniforms.width + index % uniforms.width];
    }`,
  };
  return runShader(shader, [words, indices], shape, 'int32');
}

/**
 * WGSL of `rounded`: the bfloat16 nearest to a number, ties to even; what is no number stays so. And of `unpacked`: both numbers
 * of a word.
 */
export const BFLOAT16 = `
  fn rounded(x : f32) -> f32 {
    let bits = bitcast<u32>(x);
    let nearest = (bits + 0x7fffu + ((bits >> 16u) & 1u)) & 0xffff0000u;
    return bitcast<f32>(select(nearest, bits, (bits & 0x7fffffffu) > 0x7f800000u));
  }
  fn unpacked(word : i32) -> vec2<f32> {
    let bits = bitcast<u32>(word);
    return vec2<f32>(bitcast<f32>(bits << 16u), bitcast<f32>(bits & 0xffff0000u));
  }
`;
