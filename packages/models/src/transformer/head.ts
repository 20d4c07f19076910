import { type Graph, kernels, operations as ops, type Value } from '@metaapo/engine';
import { narrowed, type Precision, product, softCap, softCapSlope } from './layers.js';
import type { Parameters } from './parameters.js';
import type { TransformerConfig } from './transformer-config.js';

/** The matrix that turns hidden states into logits. */
export function headWeightName(config: TransformerConfig): string {
  return config.tieWordEmbeddings ? 'model.embed_tokens.weight' : 'lm_head.weight';
}

/** Logits `[M, vocabulary]` of hidden states `[M, hidden]`. */
export function logitsOf(
  hidden: Value,
  config: TransformerConfig,
  parameters: Parameters,
  precision: Precision,
): Value {
  const logits = product(hidden, parameters.read(headWeightName(config)), precision);
  return config.logitCap === undefined ? logits : softCap(logits, config.logitCap);
}

/** -log softmax at the targets `[M]` of logits `[M, vocabulary]`. */
export function lossesOf(logits: Value, targets: Value): Value {
  if (logits.graph.kernels.has('Losses')) return kernels.losses(narrowed(logits), targets);
  return ops.crossEntropy(logits, targets).losses;
}

/**
 * Their gradient softmax - onehot.
 * @param precision of what reads it: a fused kernel rounds it there
 */
export function residualOf(logits: Value, targets: Value, precision: Precision = 'float32'): Value {
  if (logits.graph.kernels.has('Residual')) return kernels.residual(narrowed(logits), targets, precision);
  return ops.crossEntropy(logits, targets).residual;
}

/** A gradient with respect to logits, brought before the bound that a model may have on them. */
export function beforeCap(gradient: Value, logits: Value, { logitCap }: TransformerConfig): Value {
  return logitCap === undefined ? gradient : ops.multiply(gradient, softCapSlope(logits, logitCap));
}

/** The inputs of a program over a chunk of rows: hidden states `[rows, hidden]` and what is predicted `[rows]`. */
export function chunkInputs(
  graph: Graph,
  config: TransformerConfig,
): { readonly hidden: Value; readonly targets: Value } {
  return {
    hidden: ops.input(graph, 'hidden', ['rows', config.hiddenSize]),
    targets: ops.input(graph, 'targets', ['rows'], 'int32'),
  };
}

/** Scores `[M]` of a classification head with one label: hidden states `[M, hidden]` times `score.weight` `[1, hidden]`. */
export function scoresOf(hidden: Value, parameters: Parameters): Value {
  return ops.reshape(product(hidden, parameters.read('score.weight'), 'float32'), [hidden.shape[0]!]);
}
