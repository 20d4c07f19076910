import { join, resolve } from 'node:path';
import type { TrainableModel } from '@metaapo/core/contracts';
import { seedOf, uniformArray } from '@metaapo/core/numerics';
import { openSafetensors, replaceDirectory, type TensorToWrite, writeSafetensors } from '@metaapo/core/storage';
import type { CheckpointPolicy, Executor, Session } from '@metaapo/engine';
import type * as tf from '@tensorflow/tfjs';
import { type LoraConfig, openAdapter, writeAdapterConfig } from '../checkpoint/adapter.js';
import { type LanguageModelConfig, readModelConfig } from '../checkpoint/model-config.js';
import { openCheckpoint, readWeights } from '../checkpoint/open-checkpoint.js';
import { saveCheckpoint } from '../checkpoint/save-checkpoint.js';
import { generate } from '../generation/generate.js';
import {
  type AdamWConstants,
  type Computation,
  continuedStates,
  createComputation,
  type Precision,
  type ProgramOptions,
  sumsOf,
  type TokenLogprobs,
} from '../network/index.js';
import { copyTokenizerFiles } from '../tokenizer/index.js';
import { type DeclaredParameters, declareParameters } from './declare-parameters.js';
import { mergedWeights } from './merged-weights.js';

/** How to load a language model. */
export interface LanguageModelOptions {
  /** Element type of matrix products; default `float32`. `bfloat16` needs a backend that has it. */
  readonly precision?: Precision | undefined;
  /** What a block keeps for its backward; default `matmul-outputs`. */
  readonly checkpoint?: CheckpointPolicy | undefined;
  /** Present when the model will be trained. */
  readonly optimizer?: AdamWConstants | undefined;
  /** A new low-rank adapter: its shape and the seed of its first numbers. Excludes `adapter`. */
  readonly lora?: (LoraConfig & { readonly seed: number }) | undefined;
  /** A PEFT adapter directory to go on from. */
  readonly adapter?: string | undefined;
  /** Bytes that the logits of one chunk may take; default 128 MiB. */
  readonly logitsBytes?: number | undefined;
  /**
   * Tokens, prompts and responses in flight together, whose keys and values are kept while generating; absent, the model
   * cannot generate. Bytes: 8 * layers * key heads * head dimension a token.
   */
  readonly cachedTokens?: number | undefined;
  /** Default: `compiled` where the current TensorFlow.js backend can, else `eager`. */
  readonly executor?: Executor | 'auto' | undefined;
}

/** A language model from a Hugging Face directory. */
export interface LanguageModel extends TrainableModel {
  readonly config: LanguageModelConfig;
  readonly directory: string;
  /** Shape of the adapter, where there is one. */
  readonly lora: LoraConfig | undefined;
  /** Number of parameters in all, and of those that are trained. */
  readonly parameterCount: { readonly all: number; readonly trained: number };
  /** `[M]` log-probabilities of single response tokens. */
  tokenLogprobs(groups: Parameters<Computation['tokenLogprobs']>[0]): Promise<TokenLogprobs>;
  /** Logits `[M, vocabulary]` that predict the response tokens; owned by the caller. */
  logits(groups: Parameters<Computation['logits']>[0]): Promise<tf.Tensor2D>;
  /** `[N]` scores of whole sequences, for models with a classification head. */
  scores(sequences: readonly Int32Array[]): Promise<Float32Array>;
  /** Writes a Hugging Face directory with the adapter's product added to the weights. */
  saveMerged(directory: string): Promise<void>;
}

/**
 * Loads a Hugging Face model directory (and a PEFT adapter) for evaluation, or for training when `optimizer` is given.
 * @throws MetaapoError with code `checkpoint` or `config` for anything that is missing, damaged or not supported
 */
export async function loadLanguageModel(directory: string, options: LanguageModelOptions = {}): Promise<LanguageModel> {
  const config = await readModelConfig(directory);
  const adapter = options.adapter === undefined ? undefined : await openAdapter(options.adapter);
  const lora = adapter?.config ?? options.lora;
  const declared = declareParameters(config, lora);
  const programOptions: ProgramOptions = {
    config,
    parameters: declared.parameters,
    adapters: declared.adapters,
    precision: options.precision ?? 'float32',
    checkpoint: options.checkpoint ?? 'matmul-outputs',
  };
  const computation = createComputation({
    ...programOptions,
    optimizer: options.optimizer,
    logitsBytes: options.logitsBytes,
    cachedTokens: options.cachedTokens,
    executor: options.executor,
  });
  const { session } = computation;
  try {
    let fingerprint = await loadBase(directory, config, declared, session);
    if (adapter !== undefined) {
      fingerprint += await readWeights(adapter.weights, declared.adapter, (name, values) =>
        session.write(name, values),
      );
    } else if (options.lora !== undefined) {
      await initialiseAdapter(declared, options.lora.seed, session);
    }
    return createModel({
      directory: resolve(directory),
      config,
      lora,
      declared,
      programOptions,
      computation,
      fingerprint,
      cachedTokens: options.cachedTokens,
    });
  } catch (error) {
    computation.dispose();
    throw error;
  } finally {
    await adapter?.weights.close();
  }
}

async function loadBase(
  directory: string,
  config: LanguageModelConfig,
  { base }: DeclaredParameters,
  session: Session,
): Promise<string> {
  const weights = await openCheckpoint(directory);
  const isTiedHead = (name: string): boolean => config.tieWordEmbeddings && name === 'lm_head.weight';
  try {
    return await readWeights(weights, base, (name, values) => session.write(name, values), isTiedHead);
  } finally {
    await weights.close();
  }
}

/** PEFT's start: A uniform within 1 / sqrt(columns), B zero, so that the product begins as nothing. */
async function initialiseAdapter({ adapter }: DeclaredParameters, seed: number, session: Session): Promise<void> {
  for (const [index, [name, shape]] of [...adapter].entries()) {
    const [rows, columns] = shape as [number, number];
    const bound = 1 / Math.sqrt(columns);
    const isFirst = name.includes('.lora_A.');
    const values = isFirst
      ? uniformArray(rows * columns, -bound, bound, seedOf(['lora', seed, index]))
      : new Float32Array(rows * columns);
    await session.write(name, values);
  }
}

interface ModelParts {
  readonly directory: string;
  readonly config: LanguageModelConfig;
  readonly lora: LoraConfig | undefined;
  readonly declared: DeclaredParameters;
  readonly programOptions: ProgramOptions;
  readonly computation: Computation;
  readonly fingerprint: string;
  readonly cachedTokens: number | undefined;
}

function createModel(parts: ModelParts): LanguageModel {
  const { directory, config, lora, declared, programOptions, computation, fingerprint, cachedTokens } = parts;
  const { session } = computation;
  const read = async (name: string): Promise<Float32Array> => (await session.read(name)) as Float32Array;
  const stored = (tensors: ReadonlyMap<string, readonly number[]>, readOne = read): TensorToWrite[] =>
    [...tensors].map(([name, shape]) => ({ name, shape, dtype: 'F32', read: () => readOne(name) }));
  const saveFull = (target: string, readOne: typeof read): Promise<void> =>
    replaceDirectory(target, async (fresh) => {
      await saveCheckpoint(fresh, config, stored(declared.base, readOne));
      await copyTokenizerFiles(directory, fresh);
    });
  return {
    ...computation,
    directory,
    config,
    lora,
    fingerprint,
    parameterCount: countParameters(declared),
    async evaluate(groups) {
      const { logprobs, tokenCounts } = await computation.tokenLogprobs(groups);
      return { sumLogprobs: sumsOf(logprobs, tokenCounts), tokenCounts };
    },
    ...(cachedTokens === undefined
      ? {}
      : {
          generate: (requests, signal) => generate({ session, config, capacity: cachedTokens }, requests, signal),
        }),
    async save(target) {
      if (lora === undefined) return saveFull(target, read);
      return replaceDirectory(target, async (fresh) => {
        await writeAdapterConfig(fresh, lora, directory);
        await writeSafetensors(join(fresh, 'adapter_model.safetensors'), stored(declared.adapter));
      });
    },
    saveMerged: (target) => saveFull(target, mergedWeights(declared, read)),
    async saveState(file) {
      const states = new Map(continuedStates(programOptions).map(({ name, shape }) => [name, shape as number[]]));
      await writeSafetensors(file, stored(states), { format: 'metaapo-state' });
    },
    async loadState(file) {
      const states = await openSafetensors(file);
      try {
        for (const { name } of continuedStates(programOptions)) await session.write(name, await states.read(name));
      } finally {
        await states.close();
      }
    },
  };
}

function countParameters({ parameters }: DeclaredParameters): LanguageModel['parameterCount'] {
  const sizes = [...parameters.values()].map(({ shape, isTrainable }) => ({
    size: shape.reduce((product, dimension) => product * dimension, 1),
    isTrainable,
  }));
  const sum = (counted: typeof sizes): number => counted.reduce((total, { size }) => total + size, 0);
  return { all: sum(sizes), trained: sum(sizes.filter(({ isTrainable }) => isTrainable)) };
}
