import type * as tf from '@tensorflow/tfjs';
import { runShader } from './run-shader.js';
import { LOWEST, reductions, THREADS } from './workgroup-sums.js';

/** The logarithm of the sum of exponentials of each row, a workgroup a row; each thread goes through every 64th number. */
const writeLogSums = (): string => `${reductions()}
  fn compute(index : i32) {
    let thread = i32(localIndex);
    let width = uniforms.width;
    var top = ${LOWEST};
    var sum = 0.0;
    if (index < uniforms.rows) {
      for (var column = thread; column < width; column += ${THREADS}) {
        let value = logits[index * width + column];
        let next = max(top, value);
        sum = sum * exp(top - next) + exp(value - next);
        top = next;
      }
    }
    let highest = reduceMax(top, thread);
    let all = reduceSum(sum * exp(top - highest), thread);
    if (thread == 0 && index < uniforms.rows) { result[index] = highest + log(all); }
  }
`;

/**
 * Cross-entropy of rows: `[n]` losses, and the gradient `[n, V]` with respect to the logits.
 * @param logits `[n, V]`
 * @param targets `[n]` int32
 */
export function crossEntropy(logits: tf.Tensor2D, targets: tf.Tensor1D): readonly tf.Tensor[] {
  const [rows, width] = logits.shape;
  const logSums = runShader(
    { name: 'logSums', inputs: ['logits'], uniforms: { rows, width }, runs: { groups: rows }, code: writeLogSums },
    [logits],
    [rows],
  );
  const losses = runShader(
    {
      name: 'losses',
      inputs: ['logits', 'targets', 'logSums'],
      uniforms: { rows, width },
      runs: { threads: rows },
      code: () => `
        fn compute(index : i32) {
          if (index < uniforms.rows) { result[index] = logSums[index] - logits[index * uniforms.width + targets[index]]; }
        }
      `,
    },
    [logits, targets, logSums],
    [rows],
  );
  const gradient = runShader(
    {
      name: 'crossEntropyGradient',
      inputs: ['logits', 'targets', 'logSums'],
      uniforms: { count: logits.size, width },
      runs: { threads: logits.size },
      code: () => `
        fn compute(index : i32) {
          if (index >= uniforms.count) { return; }
          let row = index / uniforms.width;
          let target_ = select(0.0, 1.0, targets[row] == index % uniforms.width);
          result[index] = exp(logits[index] - logSums[row]) - target_;
        }
      `,
    },
    [logits, targets, logSums],
    logits.shape,
  );
  logSums.dispose();
  return [losses, gradient];
}
