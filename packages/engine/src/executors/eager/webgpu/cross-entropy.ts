import type * as tf from '@tensorflow/tfjs';
import { runShader } from './run-shader.js';

const WORKGROUP = 64;

/**
 * The logarithm of the sum of exponentials of each row, a workgroup a row: each thread goes through every 64th number and
 * keeps the greatest and the sum relative to it; then they are brought together.
 */
const LOG_SUM = `
  var<workgroup> greatest : array<f32, ${WORKGROUP}>;
  var<workgroup> sums : array<f32, ${WORKGROUP}>;
  fn merge(at : i32, other : i32) {
    let top = max(greatest[at], greatest[other]);
    sums[at] = sums[at] * exp(greatest[at] - top) + sums[other] * exp(greatest[other] - top);
    greatest[at] = top;
  }
  fn compute(index : i32) {
    let row = index;
    let thread = i32(localIndex);
    let width = uniforms.width;
    var top = -3.4e38;
    var sum = 0.0;
    if (row < uniforms.rows) {
      for (var column = thread; column < width; column += ${WORKGROUP}) {
        let value = logits[row * width + column];
        let next = max(top, value);
        sum = sum * exp(top - next) + exp(value - next);
        top = next;
      }
    }
    greatest[thread] = top;
    sums[thread] = sum;
    workgroupBarrier();
    for (var half = ${WORKGROUP / 2}; half > 0; half /= 2) {
      if (thread < half) { merge(thread, thread + half); }
      workgroupBarrier();
    }
    if (thread == 0 && row < uniforms.rows) { result[row] = greatest[0] + log(sums[0]); }
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
    { name: 'logSums', inputs: ['logits'], uniforms: { rows, width }, runs: { groups: rows }, code: LOG_SUM },
    [logits],
    [rows],
  );
  const losses = runShader(
    {
      name: 'losses',
      inputs: ['logits', 'targets', 'logSums'],
      uniforms: { rows, width },
      runs: { threads: rows },
      code: `
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
      code: `
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
