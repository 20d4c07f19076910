import { createHash } from 'node:crypto';
import { join, resolve } from 'node:path';
import { MetaapoError, type Tokenizer, type TrainableModel } from '@metaapo/core/contracts';
import { normalArray, seedOf, uniformArray } from '@metaapo/core/numerics';
import {
  openSafetensors,
  replaceDirectory,
  requireFinite,
  type SafetensorsFile,
  type TensorToWrite,
  writeSafetensors,
} from '@metaapo/core/storage';
import {
  type CheckpointPolicy,
  collectGarbage,
  currentBackend,
  type Executor,
  type Profile,
  type Session,
} from '@metaapo/engine';
import type * as tf from '@tensorflow/tfjs';
import { type LoraConfig, openAdapter, writeAdapterConfig } from '../checkpoint/adapter.js';
import { type LanguageModelConfig, readModelConfig, withScoreHead } from '../checkpoint/model-config.js';
import { openCheckpoint, readWeights } from '../checkpoint/open-checkpoint.js';
import { saveCheckpoint } from '../checkpoint/save-checkpoint.js';
import { HEAD_WEIGHT, withStoredHead } from '../checkpoint/stored-head.js';
import { generate } from '../generation/generate.js';
import { copyTokenizerFiles } from '../tokenizer/index.js';
import {
  type AdamWConstants,
  attentionPartsFor,
  type Computation,
  continuedStates,
  createComputation,
  createScoreComputation,
  type Precision,
  type ProgramOptions,
} from '../transformer/index.js';
import { type DeclaredParameters, declareParameters } from './declare-parameters.js';
import { mergedWeights, withExactWeights } from './merged-weights.js';

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
  /**
   * Makes a reward model of a language model (a reward model stays as it is): a classification head of one label, normal with a deviation of
   * 1 / sqrt(hidden + 1), in the place of its own. Excludes adapters.
   */
  readonly newHead?: { readonly seed: number } | undefined;
  /**
   * Tokens of the longest prompt with one response that will come; default 4096. It decides how finely attention is cut,
   * hence memory, never what can be computed.
   */
  readonly longestRow?: number | undefined;
  /** Bytes that the logits of one chunk may take; default 128 MiB. */
  readonly logitsBytes?: number | undefined;
  /**
   * Tokens of the KV cache, for the prompts and responses of a batch while generating; absent, the model
   * cannot generate. Bytes: 8 * layers * key heads * head dimension a token.
   */
  readonly cachedTokens?: number | undefined;
  /** Reads the stop texts of generation; absent, there can be none. */
  readonly tokenizer?: Tokenizer | undefined;
  /** Default: `compiled` where the current TensorFlow.js backend can, else `eager`. */
  readonly executor?: Executor | 'auto' | undefined;
  /** Told what each primitive costs; makes the executor `eager`. */
  readonly profile?: Profile | undefined;
}

/** A language model from a Hugging Face directory. */
export interface LanguageModel extends TrainableModel {
  readonly config: LanguageModelConfig;
  readonly directory: string;
  /** Shape of the adapter, where there is one. */
  readonly lora: LoraConfig | undefined;
  /** Number of parameters in all, and of those that are trained. */
  readonly parameterCount: { readonly all: number; readonly trained: number };
  /** Logits `[M, vocabulary]` that predict the response tokens; owned by the caller. */
  logits(groups: Parameters<Computation['logits']>[0]): Promise<tf.Tensor2D>;
  /** `[N]` scores of whole sequences, for models with a classification head. */
  scores(sequences: readonly Int32Array[]): Promise<Float32Array>;
  /**
   * Writes a Hugging Face directory with the adapter's product added to the weights, where there is an adapter.
   * @param dtype element type of the files, default `float32`
   */
  saveMerged(directory: string, dtype?: Precision): Promise<void>;
}

/**
 * Loads a Hugging Face model directory (and a PEFT adapter) for evaluation, or for training when `optimizer` is given.
 * @throws MetaapoError with code `checkpoint` or `config` for anything that is missing, damaged or not supported
 */
export async function loadLanguageModel(directory: string, options: LanguageModelOptions = {}): Promise<LanguageModel> {
  const checked = await readModelConfig(directory);
  const source = checked.tieWordEmbeddings ? await withStoredHead(checked, directory) : checked;
  const head = source.task === 'causal-lm' ? options.newHead : undefined;
  const config = head === undefined ? source : withScoreHead(source);
  const adapter = options.adapter === undefined ? undefined : await openAdapter(options.adapter);
  const lora = adapter?.config ?? options.lora;
  const precision = options.precision ?? 'float32';
  const declared = declareParameters(config, { lora, precision, isTrained: options.optimizer !== undefined });
  const programOptions: ProgramOptions = {
    config: { ...config, attentionParts: attentionPartsFor(options.longestRow ?? 4096) },
    parameters: declared.parameters,
    adapters: declared.adapters,
    precision,
    checkpoint: options.checkpoint ?? 'matmul-outputs',
  };
  const create = config.task === 'sequence-classification' ? createScoreComputation : createComputation;
  const computation = create({
    ...programOptions,
    optimizer: options.optimizer,
    logitsBytes: options.logitsBytes,
    cachedTokens: options.cachedTokens,
    executor: options.executor,
    profile: options.profile,
  });
  const { session } = computation;
  try {
    const weights = [await loadBase(directory, config, declared, session, head !== undefined)];
    if (head !== undefined) await session.write(SCORE_WEIGHT, firstHead(config.hiddenSize, head.seed));
    if (adapter !== undefined) {
      weights.push(await readWeights(adapter.weights, declared.adapter, (name, values) => session.write(name, values)));
    } else if (options.lora !== undefined) {
      await initialiseAdapter(declared, options.lora.seed, session);
    }
    collectGarbage();
    return createModel({
      directory: resolve(directory),
      config,
      lora,
      declared,
      programOptions,
      computation,
      fingerprint: fingerprintOf({ config, adapter: adapter?.config, head, weights }),
      cachedTokens: options.cachedTokens,
      tokenizer: options.tokenizer,
    });
  } catch (error) {
    computation.dispose();
    throw error;
  } finally {
    await adapter?.weights.close();
  }
}

/** What log-probabilities and scores follow from. */
interface FingerprintParts {
  readonly config: LanguageModelConfig;
  readonly adapter: LoraConfig | undefined;
  readonly head: { readonly seed: number } | undefined;
  /** Keys of the numbers read from files. */
  readonly weights: readonly string[];
}

function fingerprintOf({ config: { raw: _, wholeFloats: __, ...config }, ...parts }: FingerprintParts): string {
  return createHash('sha256')
    .update(JSON.stringify({ config, ...parts }))
    .digest('hex');
}

async function loadBase(
  directory: string,
  config: LanguageModelConfig,
  { base }: DeclaredParameters,
  session: Session,
  isHeadNew: boolean,
): Promise<string> {
  const weights = await openCheckpoint(directory);
  // A tied head may be stored beside the embeddings, and what has another head reads none.
  const isPassedOver = (name: string): boolean =>
    name === HEAD_WEIGHT && (config.tieWordEmbeddings || config.task !== 'causal-lm');
  const stored = new Map([...base].filter(([name]) => !isHeadNew || name !== SCORE_WEIGHT));
  try {
    return await readWeights(weights, stored, (name, values) => session.write(name, values), isPassedOver);
  } finally {
    await weights.close();
  }
}

const SCORE_WEIGHT = 'score.weight';
/** What `saveState` writes into its directory. */
const STATE_FILE = 'state.safetensors';

function firstHead(hiddenSize: number, seed: number): Float32Array {
  const deviation = 1 / Math.sqrt(hiddenSize + 1);
  return normalArray(hiddenSize, deviation, seedOf(['score head', seed]));
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
  readonly tokenizer: Tokenizer | undefined;
}

function createModel(parts: ModelParts): LanguageModel {
  const { directory, config, lora, declared, programOptions, computation, fingerprint, cachedTokens, tokenizer } =
    parts;
  const { session } = computation;
  const read = async (name: string): Promise<Float32Array> => (await session.read(name)) as Float32Array;
  const stored = (
    tensors: ReadonlyMap<string, readonly number[]>,
    readOne = read,
    dtype: Precision = 'float32',
  ): TensorToWrite[] => {
    const type = dtype === 'bfloat16' ? 'BF16' : 'F32';
    return [...tensors].map(([name, shape]) => ({ name, shape, dtype: type, read: () => readOne(name) }));
  };
  const saveFull = (target: string, dtype?: Precision): Promise<void> =>
    replaceDirectory(target, (fresh) =>
      withExactWeights(directory, declared, read, async (readExact) => {
        const weights = mergedWeights(declared, readExact);
        await saveCheckpoint(fresh, config, stored(declared.base, weights, dtype));
        await copyTokenizerFiles(directory, fresh);
      }),
    );
  return {
    ...computation,
    directory,
    config,
    lora,
    fingerprint,
    computedBy: `${currentBackend()} ${programOptions.precision}`,
    parameterCount: countParameters(declared),
    ...(cachedTokens === undefined
      ? {}
      : {
          generate: (requests, signal) =>
            generate({ session, config: programOptions.config, capacity: cachedTokens, tokenizer }, requests, signal),
        }),
    async save(target) {
      if (lora === undefined) return saveFull(target);
      return replaceDirectory(target, async (fresh) => {
        await writeAdapterConfig(fresh, lora, directory);
        await writeSafetensors(join(fresh, 'adapter_model.safetensors'), stored(declared.adapter));
      });
    },
    saveMerged: saveFull,
    saveState(target) {
      const states = new Map(continuedStates(programOptions).map(({ name, shape }) => [name, shape as number[]]));
      return replaceDirectory(target, async (fresh) => {
        await writeSafetensors(join(fresh, STATE_FILE), stored(states), { format: 'metaapo-state' });
      });
    },
    async loadState(source) {
      const states = await openSafetensors(join(source, STATE_FILE));
      try {
        for (const { name, shape } of continuedStates(programOptions)) {
          requireShape(states, name, shape);
          const values = await states.read(name);
          requireFinite(values, name, states.file);
          await session.write(name, values);
        }
      } finally {
        await states.close();
      }
    },
  };
}

/** @throws MetaapoError with code `checkpoint` when a state is not as this model has it */
function requireShape({ file, tensors }: SafetensorsFile, name: string, shape: readonly unknown[]): void {
  const found = tensors.get(name)?.shape;
  if (found !== undefined && String(found) === String(shape)) return;
  throw new MetaapoError('checkpoint', `state ${name} is not one of this model`, {
    where: file,
    expected: `[${shape.join(', ')}]`,
    got: found === undefined ? 'no such state' : `[${found.join(', ')}]`,
    remedy: 'Restore the checkpoint of this run, or start the run again in another output directory',
  });
}

function countParameters({ parameters }: DeclaredParameters): LanguageModel['parameterCount'] {
  const sizes = [...parameters.values()].map(({ shape, isTrainable }) => ({
    size: shape.reduce((product, dimension) => product * dimension, 1),
    isTrainable,
  }));
  const sum = (counted: typeof sizes): number => counted.reduce((total, { size }) => total + size, 0);
  return { all: sum(sizes), trained: sum(sizes.filter(({ isTrainable }) => isTrainable)) };
}
