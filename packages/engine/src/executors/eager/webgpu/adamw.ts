import type * as tf from '@tensorflow/tfjs';
import type { StateKernels } from '../state-kernels.js';
import { runShaderInPlace, type Shader } from './run-shader.js';

/** One AdamW update in place: a shader for each moment, and one for the parameter, which reads both. */
export const updateAdamW: StateKernels['updateAdamW'] = (attributes, scalars, states) => {
  const { beta1, beta2, epsilon, weightDecay } = attributes;
  const gradient = states.get(attributes.gradient);
  const threads = gradient.size;
  const [rate, scale, correction1, correction2] = scalars as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor];
  const write = (state: string, shader: Omit<Shader, 'runs'>, inputs: readonly tf.Tensor[]): void =>
    states.set(state, runShaderInPlace({ ...shader, runs: { threads } }, inputs, states.take(state)));
  const moment = (state: string, name: string, beta: number, term: string): void =>
    write(
      state,
      {
        name,
        inputs: ['gradient', 'scale'],
        uniforms: { count: threads, beta: { float: beta } },
        code: () => `
          fn compute(index : i32) {
            if (index >= uniforms.count) { return; }
            let g = gradient[index] * scale[0];
            result[index] = uniforms.beta * result[index] + (1.0 - uniforms.beta) * ${term};
          }
        `,
      },
      [gradient, scale],
    );
  moment(attributes.firstMoment, 'firstMoment', beta1, 'g');
  moment(attributes.secondMoment, 'secondMoment', beta2, 'g * g');
  const moments = [attributes.firstMoment, attributes.secondMoment].map((state) => states.get(state));
  write(
    attributes.parameter,
    {
      name: 'adamW',
      inputs: ['first', 'second', 'rate', 'correction1', 'correction2'],
      uniforms: { count: threads, epsilon: { float: epsilon }, decay: { float: weightDecay } },
      code: () => `
        fn compute(index : i32) {
          if (index >= uniforms.count) { return; }
          let direction = first[index] / correction1[0] / (sqrt(second[index] / correction2[0]) + uniforms.epsilon);
          result[index] = result[index] * (1.0 - rate[0] * uniforms.decay) - rate[0] * direction;
        }
      `,
    },
    [...moments, rate, correction1, correction2],
  );
  for (const tensor of [gradient, ...moments]) tensor.dispose();
};
