import { MetaapoError, type PromptGroup, type Tokenizer, type TrainableModel } from '@metaapo/core/contracts';
import type * as tf from '@tensorflow/tfjs';
import { type LanguageModelConfig, readModelConfig } from '../checkpoint/model-config.js';
import { withStoredHead } from '../checkpoint/stored-head.js';
import { generate } from '../generation/generate.js';
import { type Computation, createComputation } from '../transformer/index.js';
import { type ModelStart, type OpenModel, openModel } from './open-model.js';
import type { OpeningOptions } from './opening-options.js';

/** How to load a language model. */
export interface LanguageModelOptions extends OpeningOptions {
  /** A new low-rank adapter: its shape and the seed of its first numbers. Excludes `adapter`. */
  readonly lora?: ModelStart['lora'];
  /** Bytes that the logits of one chunk may take; default 128 MiB. */
  readonly logitsBytes?: number | undefined;
  /**
   * Tokens of the KV cache, for the prompts and responses of a batch while generating; absent, the model
   * cannot generate. Bytes: 8 * layers * key heads * head dimension a token.
   */
  readonly cachedTokens?: number | undefined;
  /** Reads the stop texts of generation; absent, there can be none. */
  readonly tokenizer?: Tokenizer | undefined;
}

/** A language model from a Hugging Face directory. */
export interface LanguageModel extends TrainableModel, OpenModel {
  /** Logits `[M, vocabulary]` that predict the response tokens; owned by the caller. */
  logits(groups: readonly PromptGroup[]): Promise<tf.Tensor2D>;
}

/**
 * Loads a Hugging Face model directory (and a PEFT adapter) for evaluation, or for training when `optimizer` is given.
 * @throws MetaapoError with code `checkpoint` or `config` for anything that is missing, damaged or not supported
 */
export async function loadLanguageModel(directory: string, options: LanguageModelOptions = {}): Promise<LanguageModel> {
  return openLanguageModel(directory, await readModelConfig(directory), options);
}

/** {@link loadLanguageModel} where config.json has been read. */
export async function openLanguageModel(
  directory: string,
  config: LanguageModelConfig,
  options: LanguageModelOptions,
): Promise<LanguageModel> {
  requireLanguageHead(directory, config);
  const { lora, logitsBytes, cachedTokens: capacity, tokenizer, weights } = options;
  const own = config.tieWordEmbeddings && weights !== 'stand-in' ? await withStoredHead(config, directory) : config;
  return openModel({ directory, config: own, lora }, options, (programs): OpenComputation => {
    const computation = createComputation({ ...programs, logitsBytes, cachedTokens: capacity });
    if (capacity === undefined) return computation;
    const generation = { session: computation.session, config: programs.config, capacity, tokenizer };
    return { ...computation, generate: (requests, signal) => generate(generation, requests, signal) };
  });
}

type OpenComputation = Computation & Pick<TrainableModel, 'generate'>;

/** @throws MetaapoError with code `config` when a directory holds a reward model. */
export function requireLanguageHead(directory: string, { task }: LanguageModelConfig): void {
  if (task === 'causal-lm') return;
  throw new MetaapoError('config', 'a reward model cannot be trained as a policy, and predicts no tokens', {
    where: directory,
    expected: 'a language model',
    got: 'a model with a classification head',
    remedy: 'Train it with `metaapo train-reward`, score with `metaapo reward`, or give a language model',
  });
}
