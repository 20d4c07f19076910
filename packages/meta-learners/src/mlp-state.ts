import type { MetaLearnerState } from '@metaapo/core/contracts';
import { normalArray, seedOf } from '@metaapo/core/numerics';
import type { MlpParameters, ParameterName } from './mlp-network.js';
import { PARAMETERS } from './mlp-network.js';
import { refuseOtherArrays, requireArray, scalarArray } from './state-arrays.js';

/** How the parameters start: small seeded normal values, or the reference code's constants. */
export type MlpInit = 'seed' | 'reference';

/** Sizes of a network: H hidden units, F input columns. */
export interface MlpSizes {
  readonly hidden: number;
  readonly columns: number;
}

/** An mlp's state, taken apart. */
export interface MlpState {
  readonly parameters: MlpParameters;
  readonly moment1: MlpParameters;
  readonly moment2: MlpParameters;
  /** Number of updates done. */
  readonly step: number;
}

/**
 * Parameters before any update. `seed`: w1 ~ N(0, 0.5), b1 ~ N(0, 0.1), w2 ~ N(0, 0.02 / sqrt(H)) as standard deviations,
 * b2 = 0. So every weight starts within 0.02 of 0.5, without a direction of its own, and units differ, so that they learn
 * different things. `reference`: w1 and w2 0.1, biases 0, as in the reference code: one input
 * and 100 units give w = sigmoid(10 tanh(0.1 x)), in (0, 0.5] for x = logsigmoid(s) <= 0, and all units act as one.
 */
export function initialParameters(init: MlpInit, { hidden, columns }: MlpSizes, seed: number): MlpParameters {
  if (init === 'reference') {
    return {
      w1: new Float32Array(hidden * columns).fill(0.1),
      b1: new Float32Array(hidden),
      w2: new Float32Array(hidden).fill(0.1),
      b2: new Float32Array(1),
    };
  }
  const normal = (name: ParameterName, count: number, deviation: number): Float32Array =>
    normalArray(count, deviation, seedOf([`meta-learner mlp ${name}`, seed]));
  return {
    w1: normal('w1', hidden * columns, 0.5),
    b1: normal('b1', hidden, 0.1),
    w2: normal('w2', hidden, 0.02 / Math.sqrt(hidden)),
    b2: new Float32Array(1),
  };
}

/** A network's parameters as arrays of a state; the arrays are shared, not copied. */
export function parameterArrays(parameters: MlpParameters, sizes: MlpSizes, prefix = ''): MetaLearnerState {
  const shapes = parameterShapes(sizes);
  return Object.fromEntries(
    PARAMETERS.map((name) => [`${prefix}${name}`, { shape: shapes[name], values: parameters[name] }]),
  );
}

/** Parameters with moments and counter as a state. */
export function writeMlpState({ parameters, moment1, moment2, step }: MlpState, sizes: MlpSizes): MetaLearnerState {
  return {
    ...parameterArrays(parameters, sizes),
    ...parameterArrays(moment1, sizes, 'moment1/'),
    ...parameterArrays(moment2, sizes, 'moment2/'),
    step: scalarArray(step),
  };
}

/**
 * Parameters, moments and counter of a state; borrowed. A state of parameters alone has moments of zeros and counter 0.
 * @throws MetaapoError with code `checkpoint` when the state is not of a network of these sizes
 */
export function readMlpState(learner: string, state: MetaLearnerState, sizes: MlpSizes): MlpState {
  const names = ['', 'moment1/', 'moment2/'].flatMap((prefix) => PARAMETERS.map((name) => `${prefix}${name}`));
  refuseOtherArrays(learner, state, [...names, 'step']);
  const shapes = parameterShapes(sizes);
  const read = (prefix: string): MlpParameters =>
    eachParameter((name) => requireArray(learner, state, `${prefix}${name}`, shapes[name]));
  const parameters = read('');
  if (Object.keys(state).length === PARAMETERS.length) {
    return { parameters, moment1: zerosLike(parameters), moment2: zerosLike(parameters), step: 0 };
  }
  const step = requireArray(learner, state, 'step', [1])[0]!;
  return { parameters, moment1: read('moment1/'), moment2: read('moment2/'), step };
}

/** One value for each parameter. */
export function eachParameter<Value>(value: (name: ParameterName) => Value): Record<ParameterName, Value> {
  return { w1: value('w1'), b1: value('b1'), w2: value('w2'), b2: value('b2') };
}

/** Arrays of zeros in the layout of `parameters`. */
export function zerosLike(parameters: MlpParameters): MlpParameters {
  return eachParameter((name) => new Float32Array(parameters[name].length));
}

function parameterShapes({ hidden, columns }: MlpSizes): Readonly<Record<ParameterName, readonly number[]>> {
  return { w1: [hidden, columns], b1: [hidden], w2: [1, hidden], b2: [1] };
}
