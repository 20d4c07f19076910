import * as tf from '@tensorflow/tfjs';
import { type DimensionBindings, evaluateDimension, evaluateShape } from '../../../program/index.js';
import type { FusedNode } from '../plan.js';
import { BFLOAT16 } from './bfloat16.js';
import { runShader } from './run-shader.js';
import { THREADS } from './workgroup-sums.js';

/** What nodes that became one shader compute of its inputs (borrowed); owned. */
export function runFused(
  { shader, outputs: [output] }: FusedNode,
  inputs: readonly tf.Tensor[],
  bindings: DimensionBindings,
): tf.Tensor {
  const shape = evaluateShape(output.shape, bindings);
  const uniforms = Object.fromEntries(
    shader.sizes.map((dimensions, at) => [
      `d${at}`,
      dimensions.reduce<number>((sum, dimension) => sum + evaluateDimension(dimension, bindings), 0),
    ]),
  );
  const dtype = output.dtype === 'bfloat16' ? 'float32' : output.dtype;
  return runShader(
    {
      name: `fused ${shader.code}`,
      inputs: inputs.map((_, at) => `x${at}`),
      uniforms,
      workgroupSize: THREADS,
      runs: shader.runs === 'rows' ? { groups: shape[0]! } : { threads: tf.util.sizeFromShape(shape) },
      code: () => `${BFLOAT16}${shader.code}`,
    },
    inputs,
    shape,
    dtype,
  );
}
