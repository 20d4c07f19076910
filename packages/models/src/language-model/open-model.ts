import { createHash } from 'node:crypto';
import { resolve } from 'node:path';
import { MetaapoError, type TrainedParameters } from '@metaapo/core/contracts';
import { normalArray, seedOf, uniformArray } from '@metaapo/core/numerics';
import { chooseExecutor, collectGarbage, computedBy, type Executor, kernelsOf, type Session } from '@metaapo/engine';
import { ADAPTER_SCORE } from '../checkpoint/adapted-modules.js';
import { type LoraConfig, type OpenAdapter, openAdapter, scoreHeadRefused } from '../checkpoint/adapter.js';
import { SCORE_WEIGHT } from '../checkpoint/expected-tensors.js';
import type { LanguageModelConfig } from '../checkpoint/model-config.js';
import { openCheckpoint, readWeights } from '../checkpoint/open-checkpoint.js';
import { NORMALISATION_TENSORS } from '../checkpoint/reward-head.js';
import { HEAD_WEIGHT } from '../checkpoint/stored-head.js';
import { type Precision, type ProgramOptions, passForm, type SessionOptions } from '../transformer/index.js';
import { type DeclaredParameters, declareParameters, linearModules } from './declare-parameters.js';
import { modelFiles } from './model-files.js';
import type { OpeningOptions } from './opening-options.js';
import { standInValues } from './stand-in-values.js';

/** What a model begins as. */
export interface ModelStart {
  readonly directory: string;
  /** Its config.json, with the head that it will have. */
  readonly config: LanguageModelConfig;
  /** A new low-rank adapter: its shape and the seed of its first numbers. */
  readonly lora?: (LoraConfig & { readonly seed: number }) | undefined;
  /** A new classification head in the place of the directory's own. */
  readonly newHead?: { readonly seed: number } | undefined;
}

/** What every open model of a directory has, whatever its head gives. */
export interface OpenModel
  extends Pick<TrainedParameters, 'fingerprint' | 'computedBy' | 'save' | 'saveState' | 'loadState'> {
  readonly config: LanguageModelConfig;
  readonly directory: string;
  /** Shape of the adapter, where there is one. */
  readonly lora: LoraConfig | undefined;
  /** Number of parameters in all, and of those that are trained. */
  readonly parameterCount: { readonly all: number; readonly trained: number };
  /**
   * Writes a Hugging Face directory with the adapter's product added to the weights, where there is an adapter.
   * @param dtype element type of the files, default `float32`
   */
  saveMerged(directory: string, dtype?: Precision): Promise<void>;
}

/**
 * Opens a model: declares its parameters, has its programs opened on a session, and fills that with numbers.
 * @param create opens the session; it is disposed when a later step fails
 * @throws MetaapoError with code `checkpoint` or `config` for anything that is missing, damaged or not supported
 */
export async function openModel<Opened extends { readonly session: Session; dispose(): void }>(
  start: ModelStart,
  options: OpeningOptions,
  create: (session: SessionOptions) => Opened,
): Promise<Opened & OpenModel> {
  const adapter =
    options.adapter === undefined ? undefined : await openAdapter(options.adapter, linearModules(start.config));
  try {
    if (adapter !== undefined && start.lora !== undefined) throw twoAdapters(options.adapter!);
    const { config } = start;
    if (adapter?.hasScoreHead && config.task === 'causal-lm') throw scoreHeadRefused(options.adapter!);
    const lora = adapter?.config ?? start.lora;
    const precision = options.precision ?? 'float32';
    const declared = declareParameters(config, { lora, precision, isTrained: options.optimizer !== undefined });
    const { optimizer, executor, profile } = options;
    const { executor: runs } = chooseExecutor(profile === undefined ? executor : 'eager');
    const programs = programOptions(config, declared, { ...options, precision, executor: runs });
    const opened = create({ ...programs, optimizer, executor, profile });
    try {
      const weights =
        options.weights === 'stand-in'
          ? await standIn(declared, opened.session)
          : await fillParameters(start, declared, opened.session, adapter);
      collectGarbage();
      const { directory, newHead: head } = start;
      const own = { directory: resolve(directory), config, lora };
      return {
        ...opened,
        ...own,
        fingerprint: fingerprintOf({ config, adapter: adapter?.config, head, weights }),
        computedBy: computedBy(runs, precision),
        parameterCount: countParameters(declared),
        ...modelFiles({
          ...{ ...own, declared, programs, session: opened.session },
          tokenizer: options.tokenizerFiles ?? directory,
          name: options.name ?? { name: own.directory },
        }),
      };
    } catch (error) {
      opened.dispose();
      throw error;
    }
  } finally {
    await adapter?.weights.close();
  }
}

function twoAdapters(adapter: string): MetaapoError {
  return new MetaapoError('config', 'a new adapter and one to go on from exclude each other', {
    where: adapter,
    remedy: 'Leave out lora, or the adapter; metaapo export merges an adapter into its model',
  });
}

function programOptions(
  config: LanguageModelConfig,
  { parameters, adapters }: DeclaredParameters,
  use: OpeningOptions & { readonly precision: Precision; readonly executor: Executor },
): ProgramOptions {
  const { longestRow, executor, precision, checkpoint = 'matmul-outputs' } = use;
  const form = passForm(executor, longestRow, kernelsOf(executor));
  return { config: { ...config, ...form }, parameters, adapters, precision, checkpoint };
}

/** Writes numbers of the usual sizes in the place of all weights. */
async function standIn({ parameters }: DeclaredParameters, session: Session): Promise<readonly string[]> {
  for (const { name, shape } of parameters.values()) await session.write(name, standInValues(shape));
  return ['stand-in'];
}

/** Writes all parameters into the session; gives keys of the numbers that were read from files. */
async function fillParameters(
  start: ModelStart,
  declared: DeclaredParameters,
  session: Session,
  adapter: OpenAdapter | undefined,
): Promise<readonly string[]> {
  const { config, lora, newHead } = start;
  const write = (name: string, values: Float32Array): Promise<void> => session.write(name, values);
  const isHeadElsewhere = newHead !== undefined || adapter?.hasScoreHead === true;
  const weights = [await readBase(start, declared, write, isHeadElsewhere)];
  if (newHead !== undefined) await write(SCORE_WEIGHT, firstHead(config.hiddenSize, newHead.seed));
  if (adapter !== undefined) weights.push(await readAdapter(adapter, config, declared, write));
  else if (lora !== undefined) await initialiseAdapter(declared, lora.seed, write);
  return weights;
}

type WriteParameter = (name: string, values: Float32Array) => Promise<void>;

async function readBase(
  { directory, config }: ModelStart,
  { base }: DeclaredParameters,
  write: WriteParameter,
  isHeadElsewhere: boolean,
): Promise<string> {
  const weights = await openCheckpoint(directory);
  // A tied head may be stored beside the embeddings, and what has another head reads none.
  const isPassedOver = (name: string): boolean =>
    (name === HEAD_WEIGHT && (config.tieWordEmbeddings || config.task !== 'causal-lm')) ||
    (name === SCORE_WEIGHT && isHeadElsewhere) ||
    (NORMALISATION_TENSORS.includes(name) && config.rewardHead?.owner === 'openrlhf');
  const headTensor = config.rewardHead?.tensor ?? SCORE_WEIGHT;
  const stored = new Map(
    [...base].flatMap(([name, shape]) => {
      if (name !== SCORE_WEIGHT) return [[name, shape]];
      return isHeadElsewhere ? [] : [[headTensor, shape]];
    }),
  );
  try {
    return await readWeights(
      weights,
      stored,
      (name, values) => write(name === headTensor ? SCORE_WEIGHT : name, values),
      isPassedOver,
    );
  } finally {
    await weights.close();
  }
}

/** The matrices of an adapter, and the score head where it holds one. */
function readAdapter(
  { hasScoreHead, weights }: OpenAdapter,
  config: LanguageModelConfig,
  declared: DeclaredParameters,
  write: WriteParameter,
): Promise<string> {
  const head = hasScoreHead ? ([[ADAPTER_SCORE, [1, config.hiddenSize]]] as const) : [];
  return readWeights(weights, new Map([...declared.adapter, ...head]), (name, values) =>
    write(name === ADAPTER_SCORE ? SCORE_WEIGHT : name, values),
  );
}

function firstHead(hiddenSize: number, seed: number): Float32Array {
  const deviation = 1 / Math.sqrt(hiddenSize + 1);
  return normalArray(hiddenSize, deviation, seedOf(['score head', seed]));
}

/** PEFT's start: A uniform within 1 / sqrt(columns), B zero, so that the product begins as nothing. */
async function initialiseAdapter({ adapter }: DeclaredParameters, seed: number, write: WriteParameter): Promise<void> {
  for (const [index, [name, shape]] of [...adapter].entries()) {
    const [rows, columns] = shape as [number, number];
    const bound = 1 / Math.sqrt(columns);
    const isFirst = name.includes('.lora_A.');
    const values = isFirst
      ? uniformArray(rows * columns, -bound, bound, seedOf(['lora', seed, index]))
      : new Float32Array(rows * columns);
    await write(name, values);
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

function countParameters({ parameters }: DeclaredParameters): OpenModel['parameterCount'] {
  const sizes = [...parameters.values()].map(({ shape, isTrainable }) => ({
    size: shape.reduce((product, dimension) => product * dimension, 1),
    isTrainable,
  }));
  const sum = (counted: typeof sizes): number => counted.reduce((total, { size }) => total + size, 0);
  return { all: sum(sizes), trained: sum(sizes.filter(({ isTrainable }) => isTrainable)) };
}
