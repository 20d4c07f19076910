import type { CheckpointPolicy } from '@metaapo/engine';
import type { LoraConfig } from '../checkpoint/adapter.js';
import type { LanguageModelConfig } from '../checkpoint/model-config.js';
import type { Precision } from '../network/index.js';
import { declareParameters } from './declare-parameters.js';

/** What the memory of a training depends on. */
export interface TrainingMemoryInput {
  readonly config: LanguageModelConfig;
  readonly lora?: LoraConfig | undefined;
  readonly precision: Precision;
  readonly checkpoint: CheckpointPolicy;
  /** Tokens of a micro-batch. */
  readonly tokens: number;
  /** Tokens whose keys and values are kept while generating; 0 when nothing is generated. */
  readonly cachedTokens: number;
}

/** Bytes by what takes them, and parameters. */
export interface TrainingMemory {
  readonly parameters: { readonly all: number; readonly trained: number };
  readonly weights: number;
  readonly gradients: number;
  readonly moments: number;
  /** What the forward pass keeps for the backward one. */
  readonly activations: number;
  /** One chunk of logits with its gradient and softmax. */
  readonly logits: number;
  /** Keys and values while generating. */
  readonly cache: number;
  /** The runtime itself, with its graphs and the libraries' scratch space. */
  readonly runtime: number;
  readonly total: number;
}

const LOGITS_CHUNK = 2 ** 27;
const RUNTIME = 0.6 * 2 ** 30;

/** Peak memory of a training, from the sizes of its programs' states. */
export function estimateTrainingMemory(input: TrainingMemoryInput): TrainingMemory {
  const { config, lora, checkpoint, tokens, cachedTokens } = input;
  const { parameters } = declareParameters(config, { lora, precision: input.precision, isTrained: true });
  const sizes = [...parameters.values()].map(({ shape, isTrainable, dtype }) => ({
    size: shape.reduce((product, dimension) => product * dimension, 1),
    isTrainable,
    bytes: dtype === 'bfloat16' ? 2 : 4,
  }));
  const count = (counted: typeof sizes): number => counted.reduce((sum, { size }) => sum + size, 0);
  const all = count(sizes);
  const trained = count(sizes.filter(({ isTrainable }) => isTrainable));
  const parts = {
    weights: sizes.reduce((sum, { size, bytes }) => sum + size * bytes, 0),
    gradients: 4 * trained,
    moments: 8 * trained,
    activations: tokens * config.layers * keptBytesPerToken(config, input.precision, checkpoint),
    logits: 3 * Math.min(LOGITS_CHUNK, 4 * tokens * config.vocabularySize),
    cache: cachedTokens * 8 * config.layers * config.keyValueHeads * config.headDim,
    runtime: RUNTIME,
  };
  const total = Object.values(parts).reduce((sum, bytes) => sum + bytes, 0);
  return { parameters: { all, trained }, ...parts, total };
}

/** Bytes that a block keeps a token. */
function keptBytesPerToken(config: LanguageModelConfig, precision: Precision, checkpoint: CheckpointPolicy): number {
  const { hiddenSize, intermediateSize, heads, keyValueHeads, headDim, biases } = config;
  if (checkpoint === 'block-inputs') return 4 * hiddenSize;
  const product = precision === 'bfloat16' ? 2 : 4;
  const projections = (heads + 2 * keyValueHeads) * headDim * (biases.query ? 4 : product);
  const outputs = 4 * (2 * hiddenSize + heads * headDim) + projections + product * 2 * intermediateSize;
  // Without recomputation, elementwise results and attention weights are kept as well.
  return checkpoint === 'none' ? 3 * outputs : outputs;
}
