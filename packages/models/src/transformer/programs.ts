import type { PassOptions } from '@metaapo/core/contracts';
import {
  accumulateGradient,
  type CheckpointPolicy,
  createGraph,
  differentiate,
  finishProgram,
  type Graph,
  operations as ops,
  type Program,
  type StateDeclaration,
  splitAtCheckpoint,
  type Value,
} from '@metaapo/engine';
import { beforeCap, chunkInputs, headWeightName, logitsOf, lossesOf, residualOf, scoresOf } from './head.js';
import type { Precision } from './layers.js';
import {
  type AdapterDeclaration,
  inLayerOf,
  type ParameterDeclaration,
  parameterState,
  parametersIn,
  trainingStates,
} from './parameters.js';
import { hiddenStates } from './transformer.js';
import type { PassConfig } from './transformer-config.js';

/** What the programs of a language model are written from. */
export interface ProgramOptions {
  readonly config: PassConfig;
  readonly parameters: ReadonlyMap<string, ParameterDeclaration>;
  readonly adapters: ReadonlyMap<string, AdapterDeclaration>;
  readonly precision: Precision;
  readonly checkpoint: CheckpointPolicy;
}

/** AdamW's constants; they are part of the `apply` program. */
export interface AdamWConstants {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly weightDecay: number;
}

/** Tokens to final hidden states, keeping nothing. */
export function evaluateProgram(options: ProgramOptions): Program {
  const graph = createGraph('evaluate', options.config.kernels);
  const parameters = parametersIn(graph, options.parameters, options.adapters);
  return finishProgram(graph, { hidden: hiddenStates(graph, options.config, parameters, options.precision) });
}

/** The programs of the body; see {@link bodyPrograms}. */
export interface BodyPrograms {
  readonly forward: Program;
  readonly backward: Program;
  /** Frees what `forward` kept, where no `backward` will take it. */
  readonly clearKept: Program;
}

/** The body's forward and backward: hidden states out, their gradient in. */
export function bodyPrograms(options: ProgramOptions): BodyPrograms {
  const graph = createGraph('body', options.config.kernels);
  const parameters = parametersIn(graph, options.parameters, options.adapters);
  const hidden = hiddenStates(graph, options.config, parameters, options.precision);
  const forwardNodes = graph.nodes.length;
  const cotangent = ops.input(graph, 'hiddenGradient', hidden.shape);
  accumulateAll(graph, hidden, cotangent, options);
  const parts = splitAtCheckpoint({ graph, forwardNodes, forwardOutputs: { hidden } }, options.checkpoint);
  return { forward: parts.forward, backward: parts.backward, clearKept: clearProgram('clear-kept', parts.stash) };
}

function clearProgram(name: string, states: readonly StateDeclaration[]): Program {
  const graph = createGraph(name);
  for (const state of states) ops.clearState(graph, state);
  return finishProgram(graph, {});
}

/**
 * A chunk of hidden states to log-probabilities of its targets, and to the entropies of the predictions where they are wanted.
 * With loss L = log Z - z_t and residual r = softmax - onehot_t,
 * -sum_v p_v log p_v = log Z - sum_v p_v z_v = L - sum_v r_v z_v.
 */
export function headProgram(
  { config, parameters, adapters, precision }: ProgramOptions,
  { entropies = false }: PassOptions = {},
): Program {
  const graph = createGraph(entropies ? 'head-entropy' : 'head', config.kernels);
  const { hidden, targets } = chunkInputs(graph, config);
  const logits = logitsOf(hidden, config, parametersIn(graph, parameters, adapters), precision);
  const losses = lossesOf(logits, targets);
  const logprobs = ops.negate(losses);
  if (!entropies) return finishProgram(graph, { logprobs });
  const expected = ops.sum(ops.multiply(residualOf(logits, targets), logits), [1]);
  return finishProgram(graph, { logprobs, entropies: ops.subtract(losses, expected) });
}

/**
 * The gradient of a chunk: computes its logits again, adds to the head's gradient where that is trained, and gives
 * d loss / d hidden. With c = d loss / d logprob of each row, d loss / d logits = -c * (softmax - onehot): c multiplies
 * the hidden side of both products, which is narrower than the vocabulary.
 */
export function headBackwardProgram(options: ProgramOptions): Program {
  const { config, precision } = options;
  const graph = createGraph('head-backward', config.kernels);
  const { hidden, targets } = chunkInputs(graph, config);
  const logits = logitsOf(hidden, config, parametersIn(graph, options.parameters, options.adapters), precision);
  const residual = residualOf(logits, targets, config.logitCap === undefined ? precision : 'float32');
  const slope = ops.cast(beforeCap(residual, logits, config), precision);
  const scale = ops.negate(ops.reshape(ops.input(graph, 'logprobGradient', ['rows']), ['rows', 1]));
  const weight = options.parameters.get(headWeightName(config))!;
  if (weight.isTrainable) {
    const scaled = ops.cast(ops.multiply(hidden, scale), precision);
    accumulateGradient(trainingStates(weight).gradient, [ops.matmul(slope, scaled, { transposeA: true })]);
  }
  const weightValue = ops.cast(ops.readState(graph, parameterState(weight)), precision);
  return finishProgram(graph, { hiddenGradient: ops.multiply(ops.matmul(slope, weightValue), scale) });
}

/** A chunk of hidden states to logits. */
export function logitsProgram({ config, parameters, adapters, precision }: ProgramOptions): Program {
  const graph = createGraph('logits');
  const hidden = ops.input(graph, 'hidden', ['rows', config.hiddenSize]);
  return finishProgram(graph, {
    logits: logitsOf(hidden, config, parametersIn(graph, parameters, adapters), precision),
  });
}

/** Hidden states to scores, for models with a classification head. */
export function scoreProgram({ config, parameters, adapters }: ProgramOptions): Program {
  const graph = createGraph('score');
  const hidden = ops.input(graph, 'hidden', ['rows', config.hiddenSize]);
  return finishProgram(graph, { scores: scoresOf(hidden, parametersIn(graph, parameters, adapters)) });
}

/** The gradient of scores: adds to the head's gradient, and gives d loss / d hidden. */
export function scoreBackwardProgram({ config, parameters, adapters }: ProgramOptions): Program {
  const graph = createGraph('score-backward');
  const hidden = ops.input(graph, 'hidden', ['rows', config.hiddenSize]);
  const scores = scoresOf(hidden, parametersIn(graph, parameters, adapters));
  const cotangent = ops.input(graph, 'scoreGradient', ['rows']);
  const weight = parameters.get('score.weight')!;
  const weightValue = ops.readState(graph, parameterState(weight));
  const gradients = differentiate([{ value: scores, cotangent }], [hidden, weightValue]);
  if (weight.isTrainable) accumulateGradient(trainingStates(weight).gradient, gradients.get(weightValue)!);
  return finishProgram(graph, { hiddenGradient: gradients.get(hidden)![0]! });
}

const trainable = ({ parameters }: ProgramOptions): ParameterDeclaration[] =>
  [...parameters.values()].filter((parameter) => parameter.isTrainable);

function accumulateAll(graph: Graph, output: Value, cotangent: Value, options: ProgramOptions): void {
  const wanted = trainable(options).map((parameter) => ({
    gradient: trainingStates(parameter).gradient,
    value: ops.readState(graph, parameterState(parameter)),
  }));
  const gradients = differentiate(
    [{ value: output, cotangent }],
    wanted.map(({ value }) => value),
  );
  for (const { gradient, value } of wanted) accumulateGradient(gradient, gradients.get(value)!);
}

/** The Euclidean norm of all accumulated gradients: a scalar `norm`. */
export function gradientNormProgram(options: ProgramOptions): Program {
  const graph = createGraph('gradient-norm');
  const squares = trainable(options).map((parameter) =>
    ops.sumOfSquares(ops.readState(graph, trainingStates(parameter).gradient)),
  );
  return finishProgram(graph, { norm: ops.squareRoot(squares.reduce((sum, square) => ops.add(sum, square))) });
}

/**
 * One AdamW update of every trained parameter, layer by layer and small ones first: all other gradients are gone when the
 * embedding's is scaled.
 * Gradients are zero afterwards. Matrices decay, vectors do not.
 */
export function applyProgram(options: ProgramOptions, constants: AdamWConstants): Program {
  const graph = createGraph('apply');
  const scalars = {
    learningRate: ops.input(graph, 'learningRate', []),
    gradientScale: ops.input(graph, 'gradientScale', []),
    correction1: ops.input(graph, 'correction1', []),
    correction2: ops.input(graph, 'correction2', []),
  };
  for (const parameter of trainable(options).toSorted((a, b) => sizeOf(a) - sizeOf(b))) {
    const states = trainingStates(parameter);
    const weightDecay = parameter.shape.length > 1 ? constants.weightDecay : 0;
    const update = { parameter: parameterState(parameter), ...states, ...constants, ...scalars, weightDecay };
    inLayerOf(graph, parameter, () => ops.updateAdamW(graph, update));
  }
  return finishProgram(graph, {});
}

const sizeOf = ({ shape }: ParameterDeclaration): number =>
  shape.reduce((product, dimension) => product * dimension, 1);

/** Sets every accumulated gradient to zero. */
export function zeroGradientsProgram(options: ProgramOptions): Program {
  return clearProgram(
    'zero-gradients',
    trainable(options).map((parameter) => trainingStates(parameter).gradient),
  );
}

/** Sets the moments of every parameter to zero. */
export function resetMomentsProgram(options: ProgramOptions): Program {
  return clearProgram(
    'reset-moments',
    trainable(options).flatMap((parameter) => {
      const { firstMoment, secondMoment } = trainingStates(parameter);
      return [firstMoment, secondMoment];
    }),
  );
}

/** All states that continue a training: parameters and moments. */
export function continuedStates(options: ProgramOptions): readonly StateDeclaration[] {
  return trainable(options).flatMap((parameter) => {
    const { firstMoment, secondMoment } = trainingStates(parameter);
    return [parameterState(parameter), firstMoment, secondMoment];
  });
}
