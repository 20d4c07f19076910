import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MetaapoError, type TextModel } from '@metaapo/core/contracts';
import { type LoadedTokenizer, loadTokenizer } from '../tokenizer/index.js';
import { type LanguageModel, type LanguageModelOptions, loadLanguageModel } from './load-language-model.js';

/** How to load a model with its tokenizer. */
export interface TextModelOptions extends LanguageModelOptions {
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
export async function loadTextModel(directory: string, options: TextModelOptions = {}): Promise<LoadedTextModel> {
  const source = options.tokenizer ?? directory;
  const hasTokenizer = options.tokenizer !== undefined || existsSync(join(source, 'tokenizer.json'));
  const tokenizer = hasTokenizer ? await loadTokenizer(source) : undefined;
  const model = await loadLanguageModel(directory, options);
  if (tokenizer !== undefined && tokenizer.vocabularySize > model.config.vocabularySize) {
    model.dispose();
    throw new MetaapoError('checkpoint', 'the tokenizer has more ids than the model has rows', {
      where: source,
      expected: `at most ${model.config.vocabularySize} ids`,
      got: `${tokenizer.vocabularySize}`,
      remedy: 'Give the tokenizer that the model was made with',
    });
  }
  return { model, tokenizer, directory: model.directory, eosTokenIds: await eosIds(directory, model, tokenizer) };
}

/** generation_config.json has the last word on what ends a response, then config.json, then the tokenizer. */
async function eosIds(
  directory: string,
  model: LanguageModel,
  tokenizer: LoadedTokenizer | undefined,
): Promise<readonly number[]> {
  const text = await readFile(join(directory, 'generation_config.json'), 'utf8').catch(() => '{}');
  const stated = (JSON.parse(text) as { eos_token_id?: number | number[] }).eos_token_id;
  const ids = new Set(stated === undefined ? model.config.eosTokenIds : [stated].flat());
  if (tokenizer?.eosTokenId !== undefined) ids.add(tokenizer.eosTokenId);
  return [...ids];
}
