import type { PromptGroup } from '@metaapo/core/contracts';
import {
  bytesOf,
  type CheckpointPolicy,
  type KernelName,
  type ProgramSet,
  programMemory,
  type StateDeclaration,
  statesOf,
} from '@metaapo/engine';
import type { LoraConfig } from '../checkpoint/adapter.js';
import type { LanguageModelConfig } from '../checkpoint/model-config.js';
import { feedsOf } from '../transformer/feeds.js';
import {
  DEFAULT_LOGITS_BYTES,
  languageModelPrograms,
  type PassConfig,
  type Precision,
  passForm,
  scorerPrograms,
} from '../transformer/index.js';
import { layoutGroups } from '../transformer/layout.js';
import { declareParameters } from './declare-parameters.js';

/** What the memory of a training depends on. */
export interface TrainingMemoryInput {
  readonly config: LanguageModelConfig;
  readonly lora?: LoraConfig | undefined;
  readonly precision: Precision;
  readonly checkpoint: CheckpointPolicy;
  /** The largest micro-batch. */
  readonly groups: readonly PromptGroup[];
  /** See `LanguageModelOptions`. */
  readonly longestRow?: number | undefined;
  /** Tokens whose keys and values are kept while generating; absent when nothing is generated. */
  readonly cachedTokens?: number | undefined;
  /** Fused kernels that the programs call; default none. */
  readonly kernels?: ReadonlySet<KernelName> | undefined;
}

/** Bytes by what takes them, and parameters. */
export interface TrainingMemory {
  readonly parameters: { readonly all: number; readonly trained: number };
  readonly weights: number;
  readonly gradients: number;
  readonly moments: number;
  /** Keys and values while generating. */
  readonly cache: number;
  /** What the forward pass keeps for the backward one. */
  readonly activations: number;
  /** Most that a pass, or a chunk of logits, holds beside them. */
  readonly working: number;
  /** Compiled products, of the sizes that came. */
  readonly kernels: number;
  /** Node and TensorFlow with their libraries, and the graphs of the programs. */
  readonly runtime: number;
  readonly total: number;
}

/** Node with TensorFlow, as measured. */
const RUNTIME = 0.48 * 2 ** 30;
/** What oneDNN keeps for products of ever other sizes, as measured: of the passes, and once more of generation. */
const KERNELS = 0.05 * 2 ** 30;
/** A node of a program as JavaScript and in the runtime's graphs, as measured. */
const BYTES_PER_NODE = 20_000;

/** AdamW's constants change no size. */
const ANY_OPTIMIZER = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 };

/**
 * Peak memory of a compiled training: its states, and the lifetimes of its programs' values in one micro-batch. The
 * kept activations are exact; the runtime may compute in another order, and reuse memory that is counted twice here.
 */
export function estimateTrainingMemory(input: TrainingMemoryInput): TrainingMemory {
  const { config, lora, precision, checkpoint, cachedTokens } = input;
  const { parameters, adapters } = declareParameters(config, { lora, precision, isTrained: true });
  const passConfig = { ...config, ...passForm('compiled', input.longestRow, input.kernels) };
  const isReward = config.task === 'sequence-classification';
  const programs = (isReward ? scorerPrograms : languageModelPrograms)({
    ...{ config: passConfig, parameters, adapters, precision, checkpoint, cachedTokens },
    optimizer: ANY_OPTIMIZER,
  });
  const states = [...statesOf(programs).values()];
  const sumOf = (chosen: (name: string) => boolean): number =>
    states.reduce((sum, state) => (chosen(state.name) ? sum + fixedBytes(state) : sum), 0);
  const sizes = [...parameters.values()].map(({ shape, isTrainable }) => ({ size: count(shape), isTrainable }));
  const passes = passMemory(programs, input.groups, passConfig);
  const parts = {
    weights: sumOf((name) => parameters.has(name)),
    gradients: sumOf((name) => name.startsWith('gradient/')),
    moments: sumOf((name) => name.startsWith('moment')),
    cache: sumOf((name) => name.startsWith('keys/') || name.startsWith('values/')),
    activations: passes.kept,
    working: passes.peak - passes.kept,
    kernels: KERNELS * (cachedTokens === undefined ? 1 : 2),
    runtime: RUNTIME + BYTES_PER_NODE * Object.values(programs).reduce((sum, { nodes }) => sum + nodes.length, 0),
  };
  const sum = (counted: typeof sizes): number => counted.reduce((total, { size }) => total + size, 0);
  return {
    parameters: { all: sum(sizes), trained: sum(sizes.filter(({ isTrainable }) => isTrainable)) },
    ...parts,
    total: Object.values(parts).reduce((total, bytes) => total + bytes, 0),
  };
}

/** Most bytes of the passes of one micro-batch, and what the forward one keeps. */
function passMemory(programs: ProgramSet, groups: readonly PromptGroup[], config: PassConfig) {
  const layout = layoutGroups(groups, config);
  const feeds = feedsOf(layout, config);
  const predicted = layout.targets.length;
  const hidden = { shape: [predicted, config.hiddenSize] };
  const forward = programMemory(programs.forward!, feeds);
  const backward = programMemory(programs.backward!, { ...feeds, hiddenGradient: hidden }, forward.kept);
  const rows = Math.min(predicted, Math.ceil(DEFAULT_LOGITS_BYTES / (4 * config.vocabularySize)));
  const head = programMemory((programs.headBackward ?? programs.scoreBackward)!, {
    hidden: { shape: [rows, config.hiddenSize] },
    targets: { shape: [rows] },
    logprobGradient: { shape: [rows] },
    scoreGradient: { shape: [rows] },
  });
  const bothHidden = 2 * 4 * count(hidden.shape);
  return { kept: forward.kept, peak: Math.max(forward.peak, backward.peak, forward.kept + bothHidden + head.peak) };
}

const count = (shape: readonly number[]): number => shape.reduce((product, dimension) => product * dimension, 1);

/** Bytes of a state whose size no run changes; 0 for others. */
function fixedBytes({ shape, dtype }: StateDeclaration): number {
  const sizes = shape.filter((dimension) => typeof dimension === 'number');
  return sizes.length < shape.length ? 0 : count(sizes) * bytesOf(dtype);
}
