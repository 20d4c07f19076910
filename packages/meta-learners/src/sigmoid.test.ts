import { expect, it } from 'vitest';
import { sigmoid } from './sigmoid.js';

it('weighs by the score alone: sigmoid(logsigmoid(s)) = p / (1 + p) for p = sigmoid(s)', () => {
  // s = 0: x = ln 1/2, sigmoid(x) = (1/2) / (1 + 1/2) = 1/3. x = 0: 1/2.
  const [at0, atMost] = sigmoid().weights({}, { logSigmoidScore: Float32Array.of(Math.log(0.5), 0) });
  expect(at0).toBeCloseTo(1 / 3, 6);
  expect(atMost).toBe(0.5);
});
