import type { MetaBuffer } from '@metaapo/core/contracts';

/** Names of the parameters, in the order of the layers. */
export const PARAMETERS = ['w1', 'b1', 'w2', 'b2'] as const;

/** Name of a parameter. */
export type ParameterName = (typeof PARAMETERS)[number];

/** Parameters `w1 [H, F]`, `b1 [H]`, `w2 [1, H]`, `b2 [1]`, row-major float32. */
export type MlpParameters = Readonly<Record<ParameterName, Float32Array>>;

/** Derivatives by each parameter, in the parameter's layout, float64. */
export type MlpGradient = Readonly<Record<ParameterName, Float64Array>>;

/** Weights and what the gradient needs of the forward pass. */
interface MlpForward {
  /** `[B]` float64. */
  readonly weights: Float64Array;
  /** `[B, H]` float64: tanh of the first layer. */
  readonly hidden: Float64Array;
}

/** Weights `[B]` float32: h(x) = sigmoid(w2 tanh(w1 x + b1) + b2) for input `[B, F]`. */
export function mlpWeights(parameters: MlpParameters, input: Float32Array): Float32Array {
  return Float32Array.from(forward(parameters, input).weights);
}

/** Gradient of mean(w * offlineLoss + (1 - w) * onlineLoss) by the parameters; the losses are constants (equation 7). */
export function mlpGradient(parameters: MlpParameters, input: Float32Array, buffer: MetaBuffer): MlpGradient {
  const { weights, hidden } = forward(parameters, input);
  const rows = weights.length;
  const units = parameters.b1.length;
  const columns = parameters.w1.length / units;
  const gradient = zeros(parameters);
  for (let row = 0; row < rows; row++) {
    const w = weights[row]!;
    // Equation 7: (L_off - L_on) * dh, with the sigmoid's own derivative.
    const output = ((buffer.offlineLoss[row]! - buffer.onlineLoss[row]!) / rows) * w * (1 - w);
    gradient.b2[0]! += output;
    for (let unit = 0; unit < units; unit++) {
      const value = hidden[row * units + unit]!;
      const inner = output * parameters.w2[unit]! * (1 - value * value);
      gradient.w2[unit]! += output * value;
      gradient.b1[unit]! += inner;
      for (let column = 0; column < columns; column++) {
        gradient.w1[unit * columns + column]! += inner * input[row * columns + column]!;
      }
    }
  }
  return gradient;
}

function forward({ w1, b1, w2, b2 }: MlpParameters, input: Float32Array): MlpForward {
  const units = b1.length;
  const columns = w1.length / units;
  const rows = input.length / columns;
  const hidden = new Float64Array(rows * units);
  const weights = new Float64Array(rows);
  for (let row = 0; row < rows; row++) {
    let output = b2[0]!;
    for (let unit = 0; unit < units; unit++) {
      let inner = b1[unit]!;
      for (let column = 0; column < columns; column++) {
        inner += w1[unit * columns + column]! * input[row * columns + column]!;
      }
      const value = Math.tanh(inner);
      hidden[row * units + unit] = value;
      output += w2[unit]! * value;
    }
    weights[row] = 1 / (1 + Math.exp(-output));
  }
  return { weights, hidden };
}

function zeros(parameters: MlpParameters): Record<ParameterName, Float64Array> {
  const like = (name: ParameterName): Float64Array => new Float64Array(parameters[name].length);
  return { w1: like('w1'), b1: like('b1'), w2: like('w2'), b2: like('b2') };
}
