import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { MetaapoError, type ModelDescription, type ScoreAt, type TextModel } from '@metaapo/core/contracts';
import { isPresent } from '@metaapo/core/storage';
import { withAdapterHead } from '../checkpoint/adapter-head.js';
import { type LanguageModelConfig, readModelConfig } from '../checkpoint/model-config.js';
import { type LoadedTokenizer, loadTokenizer, readJsonObject } from '../tokenizer/index.js';
import { type LanguageModel, type LanguageModelOptions, openLanguageModel } from './load-language-model.js';
import type { OpeningOptions } from './opening-options.js';

/** How to load a model with its tokenizer. */
export interface TextModelOptions extends Omit<LanguageModelOptions, 'tokenizer'> {
  /** Directory of the tokenizer; default the model's. */
  readonly tokenizer?: string | undefined;
}

/** A language model with its tokenizer, both of this package. */
export interface LoadedTextModel extends TextModel {
  readonly model: LanguageModel;
  readonly tokenizer: LoadedTokenizer | undefined;
  readonly directory: string;
}

/**
 * Loads a model directory together with its tokenizer, where it has one, and checks that they belong together.
 * @throws MetaapoError with code `checkpoint` when the tokenizer has ids that the model has no row for
 */
export async function loadTextModel(
  directory: string,
  { tokenizer, ...options }: TextModelOptions = {},
): Promise<LoadedTextModel> {
  return openTextModel(await readTextSource({ directory, tokenizer }), options);
}

/** {@link loadTextModel} of a directory whose other files have been read. */
export async function openTextModel(
  { directory, config, description, ...saved }: TextSource,
  options: Omit<LanguageModelOptions, 'tokenizer'>,
): Promise<LoadedTextModel> {
  const { tokenizer } = description;
  const model = await openLanguageModel(directory, config, { ...saved, ...options, tokenizer });
  return { ...description, model, directory: model.directory };
}

/** What is known of a directory's model without its weights. */
export interface TextDescription extends ModelDescription {
  readonly tokenizer: LoadedTokenizer | undefined;
}

/** A model directory without its weights. */
export interface TextSource extends Pick<OpeningOptions, 'name' | 'tokenizerFiles'> {
  readonly directory: string;
  readonly config: LanguageModelConfig;
  readonly description: TextDescription;
  /** A PEFT adapter on it. */
  readonly adapter: string | undefined;
  /** What a user should know of it: one sentence each. */
  readonly warnings: readonly string[];
}

/** Where the files of a model are. */
export interface TextFiles extends Pick<OpeningOptions, 'name'> {
  readonly directory: string;
  /** Directory of the tokenizer; default the model's, where it has one. */
  readonly tokenizer?: string | undefined;
  /** A PEFT adapter on it, whose head, where it holds one, is the model's. */
  readonly adapter?: string | undefined;
  /** What chat templates write that ask for the date; default today. */
  readonly templateDate?: Date | undefined;
}

/**
 * Reads all of a model directory but its weights.
 * @throws MetaapoError with code `checkpoint` when the tokenizer has ids that the model has no row for
 */
export async function readTextSource(files: TextFiles): Promise<TextSource> {
  const { directory, tokenizer: source = directory, adapter, name, templateDate } = files;
  const stored = await readModelConfig(directory);
  const config = adapter === undefined ? stored : await withAdapterHead(stored, adapter);
  const hasTokenizer = source !== directory || isPresent(join(source, 'tokenizer.json'));
  const tokenizer = hasTokenizer ? await loadTokenizer(source, { templateDate }) : undefined;
  // Added tokens beyond the rows, a pad token mostly, are refused in the texts that have them.
  if (tokenizer !== undefined && tokenizer.plainVocabularySize > config.vocabularySize) {
    throw new MetaapoError('checkpoint', 'the tokenizer has more ids than the model has rows', {
      where: source,
      expected: `at most ${config.vocabularySize} ids`,
      got: `${tokenizer.plainVocabularySize}, added tokens not counted`,
      remedy: 'Give the tokenizer that the model was made with',
    });
  }
  const description = {
    tokenizer,
    eosTokenIds: await eosIds(directory, config, tokenizer),
    vocabularySize: config.vocabularySize,
    contextLength: config.maxPositionEmbeddings,
    ...(config.task === 'sequence-classification' && { scoreAt: scoreAtOf(config) }),
    fingerprint: createHash('sha256')
      .update(JSON.stringify([config.raw, tokenizer?.fingerprint]))
      .digest('hex'),
  };
  const warnings = tokenizer?.warnings ?? [];
  return { directory, config, description, adapter, name, tokenizerFiles: source, warnings };
}

/** Where a reward model was trained to be read. */
export function scoreAtOf({ rewardHead }: LanguageModelConfig): ScoreAt {
  return rewardHead?.owner === 'openrlhf' ? 'end-of-turn' : 'template-end';
}

/** generation_config.json has the last word on what ends a response, then config.json, then the tokenizer. */
async function eosIds(
  directory: string,
  config: LanguageModelConfig,
  tokenizer: LoadedTokenizer | undefined,
): Promise<readonly number[]> {
  const ids = new Set((await statedEosIds(join(directory, 'generation_config.json'))) ?? config.eosTokenIds);
  if (tokenizer?.eosTokenId !== undefined) ids.add(tokenizer.eosTokenId);
  return [...ids];
}

/** What a generation_config.json says of it; `undefined` where it says nothing, or there is none. */
async function statedEosIds(file: string): Promise<readonly number[] | undefined> {
  const stated = (await readJsonObject(file)).eos_token_id ?? undefined;
  const ids = stated === undefined ? undefined : [stated].flat();
  if (ids === undefined || ids.every((id) => Number.isSafeInteger(id))) return ids as number[] | undefined;
  throw new MetaapoError('checkpoint', 'eos_token_id is not supported', {
    where: file,
    expected: 'a token id or a list of them',
    got: JSON.stringify(stated),
    remedy: 'Correct the file, or remove it: config.json and the tokenizer say it too',
  });
}
