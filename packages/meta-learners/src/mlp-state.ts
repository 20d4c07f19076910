import type { MetaLearnerState } from '@metaapo/core/contracts';
import { normalArray, seedOf } from '@metaapo/core/numerics';
import { type MlpLayers, type MlpParameters, parameterShapes } from './mlp-network.js';
import { refuseOtherArrays, requireArray, scalarArray } from './state-arrays.js';

/** How the parameters start: small seeded normal values, or the reference code's constants. */
export type MlpInit = 'seed' | 'reference';

/** An mlp's state, taken apart. */
export interface MlpState {
  readonly parameters: MlpParameters;
  readonly moment1: MlpParameters;
  readonly moment2: MlpParameters;
  /** Number of updates done. */
  readonly step: number;
}

/**
 * Parameters before any update. `seed`: w1 ~ N(0, 0.5), the last w ~ N(0, 0.02 / sqrt(H)), those between ~ N(0, 1 / sqrt(H))
 * of the units H below, hidden b ~ N(0, 0.1) as standard deviations, the last b = 0. So every weight starts within 0.02 of
 * 0.5, without a direction of its own, and units differ, so that they learn different things. `reference`: every w 0.1,
 * biases 0, as in the reference code: one input and 100 units give w = sigmoid(10 tanh(0.1 x)), in (0, 0.5] for
 * x = logsigmoid(s) <= 0, and all units of a layer act as one.
 */
export function initialParameters(init: MlpInit, layers: MlpLayers, seed: number): MlpParameters {
  const last = layers.length - 1;
  return eachParameter(layers, (name, size) => {
    const layer = Number(name.slice(1));
    const isBias = name.startsWith('b');
    if (init === 'reference') return new Float32Array(size).fill(isBias ? 0 : 0.1);
    if (isBias && layer === last) return new Float32Array(size);
    const deviation = isBias ? 0.1 : weightDeviation(layer, layers);
    return normalArray(size, deviation, seedOf([`meta-learner mlp ${name}`, seed]));
  });
}

function weightDeviation(layer: number, layers: MlpLayers): number {
  if (layer === layers.length - 1) return 0.02 / Math.sqrt(layers[layer - 1]!);
  return layer === 1 ? 0.5 : 1 / Math.sqrt(layers[layer - 1]!);
}

/** A network's parameters as arrays of a state; the arrays are shared, not copied. */
export function parameterArrays(parameters: MlpParameters, layers: MlpLayers, prefix = ''): MetaLearnerState {
  const shapes = Object.entries(parameterShapes(layers));
  return Object.fromEntries(shapes.map(([name, shape]) => [`${prefix}${name}`, { shape, values: parameters[name]! }]));
}

/** Parameters with moments and counter as a state. */
export function writeMlpState({ parameters, moment1, moment2, step }: MlpState, layers: MlpLayers): MetaLearnerState {
  return {
    ...parameterArrays(parameters, layers),
    ...parameterArrays(moment1, layers, 'moment1/'),
    ...parameterArrays(moment2, layers, 'moment2/'),
    step: scalarArray(step),
  };
}

/**
 * Parameters, moments and counter of a state; borrowed. A state of parameters alone has moments of zeros and counter 0.
 * @throws MetaapoError with code `checkpoint` when the state is not of a network of these layers
 */
export function readMlpState(learner: string, state: MetaLearnerState, layers: MlpLayers): MlpState {
  const shapes = parameterShapes(layers);
  const names = Object.keys(shapes);
  refuseOtherArrays(learner, state, [
    ...['', 'moment1/', 'moment2/'].flatMap((prefix) => names.map((name) => `${prefix}${name}`)),
    'step',
  ]);
  const read = (prefix: string): MlpParameters =>
    eachParameter(layers, (name) => requireArray(learner, state, `${prefix}${name}`, shapes[name]!));
  const parameters = read('');
  if (Object.keys(state).length === names.length) {
    return { parameters, moment1: zeroParameters(layers), moment2: zeroParameters(layers), step: 0 };
  }
  const step = requireArray(learner, state, 'step', [1])[0]!;
  return { parameters, moment1: read('moment1/'), moment2: read('moment2/'), step };
}

/** One value for each parameter, from its name and its number of values, in the order of the layers. */
export function eachParameter<Value>(
  layers: MlpLayers,
  value: (name: string, size: number) => Value,
): Readonly<Record<string, Value>> {
  const shapes = Object.entries(parameterShapes(layers));
  return Object.fromEntries(
    shapes.map(([name, shape]) => [
      name,
      value(
        name,
        shape.reduce((size, length) => size * length, 1),
      ),
    ]),
  );
}

/** Parameters that are all zero. */
export function zeroParameters(layers: MlpLayers): MlpParameters {
  return eachParameter(layers, (_, size) => new Float32Array(size));
}
