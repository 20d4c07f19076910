import { MetaapoError, type PromptGroup, type ScoreAt, type TrainableScorer } from '@metaapo/core/contracts';
import { withAdapterHead } from '../checkpoint/adapter-head.js';
import { type LanguageModelConfig, readModelConfig, withScoreHead } from '../checkpoint/model-config.js';
import { asStored, normalisedHead } from '../checkpoint/reward-head.js';
import { readTextSource, scoreAtOf, type TextDescription, type TextSource } from '../language-model/load-text-model.js';
import { type ModelStart, type OpenModel, openModel } from '../language-model/open-model.js';
import type { OpeningOptions } from '../language-model/opening-options.js';
import { createScoreComputation } from '../transformer/index.js';
import { withoutPadding } from './without-padding.js';

/** How to load a reward model. With an `adapter` it can be asked, not trained. */
export interface ScorerOptions extends OpeningOptions {
  /**
   * Makes a reward model of a language model (a reward model stays as it is): a classification head of one label, normal
   * with a deviation of 1 / sqrt(hidden + 1), in the place of its own.
   */
  readonly newHead?: ModelStart['newHead'];
  /** Whether a reward model of OpenRLHF takes its mean off and divides by its deviation; default what its config says. */
  readonly normalizeReward?: boolean | undefined;
}

/** A reward model from a Hugging Face directory: the score at the last token of a response that is no padding. */
export interface Scorer extends TrainableScorer, OpenModel {}

/** A reward model with its tokenizer. */
export interface LoadedTextScorer extends TextDescription {
  readonly model: Scorer;
  readonly directory: string;
  readonly scoreAt: ScoreAt;
}

/**
 * Loads a model with a classification head (and a PEFT adapter) for scoring, or for training when `optimizer` is given.
 * @throws MetaapoError with code `checkpoint` or `config` for anything that is missing, damaged or not supported
 */
export async function loadScorer(directory: string, options: ScorerOptions = {}): Promise<Scorer> {
  return openScorer(directory, await readModelConfig(directory), options);
}

/**
 * Loads a reward model together with its tokenizer, where it has one, and checks that they belong together.
 * @throws MetaapoError as {@link loadScorer} does; `checkpoint` when the tokenizer has ids that the model has no row for
 */
export async function loadTextScorer(directory: string, options: ScorerOptions = {}): Promise<LoadedTextScorer> {
  return openTextScorer(await readTextSource({ directory }), options);
}

/** {@link loadTextScorer} of a directory whose other files have been read. */
export async function openTextScorer(
  { directory, config, description, ...saved }: TextSource,
  options: ScorerOptions,
): Promise<LoadedTextScorer> {
  const model = await openScorer(directory, config, { ...saved, ...options });
  return { ...description, model, directory: model.directory, scoreAt: scoreAtOf(model.config) };
}

/** {@link loadScorer} where config.json has been read. */
export async function openScorer(
  directory: string,
  config: LanguageModelConfig,
  options: ScorerOptions,
): Promise<Scorer> {
  const { adapter, optimizer, newHead } = options;
  const headed = adapter === undefined ? config : await withAdapterHead(config, adapter);
  const own = await withOwnHead(headed, directory, options.normalizeReward);
  if (optimizer !== undefined && own.rewardHead?.owner === 'openrlhf') throw trainedElsewhere(directory);
  const isHeadNew = own.task === 'causal-lm';
  if (newHead === undefined) requireScoreHead(directory, own);
  if (adapter !== undefined && (optimizer !== undefined || isHeadNew)) throw trainedAdapter(adapter);
  const start = isHeadNew ? { directory, config: withScoreHead(own), newHead } : { directory, config: own };
  const model = await openModel(start, options, createScoreComputation);
  const { padTokenId, rewardHead: head } = model.config;
  const read = (groups: readonly PromptGroup[]): readonly PromptGroup[] =>
    head?.owner === 'openrlhf' ? groups : withoutPadding(groups, padTokenId);
  const { mean, std } = head?.normalisation ?? { mean: 0, std: 1 };
  return {
    ...model,
    score: async (groups) => (await model.score(read(groups))).map((score) => (score - mean) / std),
    forward: (groups) => model.forward(read(groups)),
    save: model.saveMerged,
  };
}

async function withOwnHead(
  config: LanguageModelConfig,
  directory: string,
  isNormalised: boolean | undefined,
): Promise<LanguageModelConfig> {
  const { rewardHead: stated, raw } = config;
  if (stated?.owner !== 'openrlhf') return config;
  const rewardHead = await asStored(normalisedHead(stated, raw, isNormalised), directory);
  return { ...config, rewardHead, raw: { ...raw, ...rewardHead.normalisation } };
}

function trainedElsewhere(directory: string): MetaapoError {
  return new MetaapoError('config', 'a reward model of OpenRLHF is scored with, not trained', {
    where: directory,
    expected: 'a language model, or a model whose class ends with ForSequenceClassification',
    got: 'a head that is read at the end token',
    remedy: 'Train it with OpenRLHF, or begin a new head on a language model',
  });
}

/** @throws MetaapoError with code `checkpoint` when a directory holds a language model. */
export function requireScoreHead(directory: string, { task }: LanguageModelConfig): void {
  if (task === 'sequence-classification') return;
  throw new MetaapoError('checkpoint', 'the model has no classification head', {
    where: directory,
    expected: 'an architecture that ends with ForSequenceClassification, or an adapter with a score head',
    got: 'a language model',
    remedy: 'Give a reward model',
  });
}

function trainedAdapter(adapter: string): MetaapoError {
  return new MetaapoError('config', 'a reward model is trained whole, without an adapter', {
    where: adapter,
    remedy: 'Merge the adapter into its model first, with metaapo export',
  });
}
