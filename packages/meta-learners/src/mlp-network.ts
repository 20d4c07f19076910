import type { MetaBuffer } from '@metaapo/core/contracts';

/** Units of each layer of a network: F input columns, the hidden layers, and the one output. */
export type MlpLayers = readonly number[];

/** Parameters by name, in the order of the layers: `w1 [H, F]`, `b1 [H]`, `w2 [1, H]`, `b2 [1]`; row-major float32. */
export type MlpParameters = Readonly<Record<string, Float32Array>>;

/** Derivatives by each parameter, in the parameter's layout, float64. */
export type MlpGradient = Readonly<Record<string, Float64Array>>;

/** Shapes of the parameters by name, in the order of the layers. */
export function parameterShapes(layers: MlpLayers): Readonly<Record<string, readonly number[]>> {
  const ofLayer = layers.slice(1).flatMap((units, at): [string, readonly number[]][] => [
    [`w${at + 1}`, [units, layers[at]!]],
    [`b${at + 1}`, [units]],
  ]);
  return Object.fromEntries(ofLayer);
}

/** Weights `[B]` float32: h(x) = sigmoid(w2 tanh(w1 x + b1) + b2) for input `[B, F]`; tanh after every hidden layer. */
export function mlpWeights(parameters: MlpParameters, layers: MlpLayers, input: Float32Array): Float32Array {
  return Float32Array.from(forward(parameters, layers, input).at(-1)!, sigmoid);
}

/** Gradient of mean(w * offlineLoss + (1 - w) * onlineLoss) by the parameters; the losses are constants (equation 7). */
export function mlpGradient(
  parameters: MlpParameters,
  layers: MlpLayers,
  input: Float32Array,
  buffer: MetaBuffer,
): MlpGradient {
  const values = forward(parameters, layers, input);
  // Equation 7: (L_off - L_on) * dh, with the sigmoid's own derivative.
  let deltas: Float64Array = values.at(-1)!.map((logit, row, { length: rows }) => {
    const w = sigmoid(logit);
    return ((buffer.offlineLoss[row]! - buffer.onlineLoss[row]!) / rows) * w * (1 - w);
  });
  const zeros = Object.entries(parameters).map(([name, of]) => [name, new Float64Array(of.length)]);
  const gradient: MlpGradient = Object.fromEntries(zeros);
  for (let layer = layers.length - 1; layer > 0; layer--) {
    const ofLayer = { weights: gradient[`w${layer}`]!, biases: gradient[`b${layer}`]! };
    deltas = throughLayer(deltas, values[layer - 1]!, parameters[`w${layer}`]!, ofLayer);
  }
  return gradient;
}

/** Values of each layer, `[B, units]` float64: the input first, the logits last. */
function forward(parameters: MlpParameters, layers: MlpLayers, input: Float32Array): readonly Float64Array[] {
  const rows = input.length / layers[0]!;
  const values = [Float64Array.from(input)];
  for (let layer = 1; layer < layers.length; layer++) {
    const [w, b] = [parameters[`w${layer}`]!, parameters[`b${layer}`]!];
    const [below, columns, units] = [values[layer - 1]!, layers[layer - 1]!, layers[layer]!];
    const own = new Float64Array(rows * units);
    for (let row = 0; row < rows; row++) {
      for (let unit = 0; unit < units; unit++) {
        let sum = b[unit]!;
        for (let at = 0; at < columns; at++) sum += w[unit * columns + at]! * below[row * columns + at]!;
        own[row * units + unit] = layer === layers.length - 1 ? sum : Math.tanh(sum);
      }
    }
    values.push(own);
  }
  return values;
}

/** Adds a layer's derivatives to its gradient; the derivatives by what comes out of the layer below, before its tanh. */
function throughLayer(
  deltas: Float64Array,
  below: Float64Array,
  w: Float32Array,
  gradient: { readonly weights: Float64Array; readonly biases: Float64Array },
): Float64Array {
  const units = gradient.biases.length;
  const columns = w.length / units;
  const inner = new Float64Array(below.length);
  for (let row = 0; row < deltas.length / units; row++) {
    for (let unit = 0; unit < units; unit++) {
      const delta = deltas[row * units + unit]!;
      gradient.biases[unit]! += delta;
      for (let at = 0; at < columns; at++) {
        gradient.weights[unit * columns + at]! += delta * below[row * columns + at]!;
        inner[row * columns + at]! += delta * w[unit * columns + at]!;
      }
    }
  }
  for (let at = 0; at < inner.length; at++) inner[at]! *= 1 - below[at]! * below[at]!;
  return inner;
}

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
