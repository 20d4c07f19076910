import type * as tf from '@tensorflow/tfjs';
import { bytesOf } from '../../program/index.js';
import type { Step } from './plan.js';

/** What one primitive cost, summed over its runs. */
export interface PrimitiveCost {
  readonly primitive: string;
  readonly runs: number;
  readonly seconds: number;
  /** Bytes of the tensors that are read and written. */
  readonly bytes: number;
  /** Floating-point operations of matrix products; 0 for other primitives. */
  readonly flops: number;
}

/** Collects what the eager executor spends on each primitive. */
export interface Profile {
  record(node: Step, inputs: readonly tf.Tensor[], outputs: readonly tf.Tensor[], seconds: number): void;
  /** Forgets what was collected. */
  reset(): void;
  /** Costs by primitive, the largest time first. */
  costs(): readonly PrimitiveCost[];
}

/** An empty profile. */
export function createProfile(): Profile {
  const costs = new Map<string, { runs: number; seconds: number; bytes: number; flops: number }>();
  return {
    record(node, inputs, outputs, seconds) {
      const cost = costs.get(node.operation) ?? { runs: 0, seconds: 0, bytes: 0, flops: 0 };
      costs.set(node.operation, cost);
      cost.runs += 1;
      cost.seconds += seconds;
      cost.flops += flopsOf(node, inputs, outputs);
      for (const tensor of [...inputs, ...outputs])
        cost.bytes += tensor.size * bytesOf(tensor.dtype === 'bool' ? 'bool' : 'float32');
    },
    reset: () => costs.clear(),
    costs: () => [...costs].map(([primitive, cost]) => ({ primitive, ...cost })).sort((a, b) => b.seconds - a.seconds),
  };
}

function flopsOf(node: Step, [first]: readonly tf.Tensor[], [product]: readonly tf.Tensor[]): number {
  if (node.operation !== 'matmul' && node.operation !== 'batchMatmul') return 0;
  const inner = first!.shape.at(node.attributes.transposeA ? -2 : -1)!;
  return 2 * inner * product!.size;
}
