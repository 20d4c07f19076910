import { existsSync } from 'node:fs';
import type { TrainingRecipe } from '@metaapo/core';
import { MetaapoError } from '@metaapo/core/contracts';
import { downloadSnapshot } from '@metaapo/hub';
import {
  adapterBase,
  type LanguageModel,
  type LanguageModelOptions,
  type LoadedTextModel,
  loadLanguageModel,
  loadTextModel,
  type TextModelOptions,
} from '@metaapo/models';

/** Files of a model that are fetched from the hub: no code, no pickles, no second copy of the weights. */
const MODEL_FILES = [
  'model.safetensors',
  'model-*.safetensors',
  'adapter_model*.safetensors',
  '*.json',
  '*.jinja',
  'tokenizer.model',
];

/** Where things come from, and whom to tell. */
export interface Sources {
  readonly revision?: string | undefined;
  readonly report: (line: string) => void;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Directory of a model: the path itself, or the snapshot of a hub id.
 * @throws MetaapoError with code `config` when it is neither, `network` when the hub cannot give it
 */
export async function modelDirectory(model: string, { revision, report, signal }: Sources): Promise<string> {
  if (existsSync(model)) return model;
  if (!/^[\w.-]+\/[\w.-]+$/.test(model)) {
    throw new MetaapoError('config', 'there is no such model directory', {
      where: model,
      expected: 'a directory with config.json, or a hub id such as owner/name',
      remedy: 'Check the path',
    });
  }
  const repo = { type: 'model', name: model } as const;
  return downloadSnapshot({ repo, revision, files: MODEL_FILES, report, signal });
}

/** A model, and the adapter on it where its directory held nothing else. */
export interface FoundModel {
  readonly directory: string;
  readonly adapter: string | undefined;
}

/**
 * Finds a model. A directory of a PEFT adapter alone means the model that the adapter names, with the adapter on it.
 * @throws MetaapoError as {@link modelDirectory} does; `checkpoint` when an adapter names no model, `config` when
 * another adapter is to go on it
 */
export async function findModel(model: string, sources: Sources, adapter?: string | undefined): Promise<FoundModel> {
  const directory = await modelDirectory(model, sources);
  const base = await adapterBase(directory);
  if (base === undefined) return { directory, adapter };
  if (adapter === undefined) return { directory: await modelDirectory(base, sources), adapter: directory };
  throw new MetaapoError('config', 'the model is an adapter itself, so no other one can go on it', {
    where: model,
    expected: `a whole model, such as its ${base}`,
    got: adapter,
    remedy: 'Merge it first with `metaapo export`',
  });
}

/** A model with its tokenizer, for anything but training. */
export async function openTextModel(
  model: string,
  sources: Sources,
  { adapter, ...options }: TextModelOptions = {},
): Promise<LoadedTextModel> {
  const found = await findModel(model, sources, adapter);
  return loadTextModel(found.directory, { ...options, adapter: found.adapter });
}

/** What a recipe says of the model that is trained. */
export type PolicyRecipe = Pick<
  TrainingRecipe,
  'model' | 'adapter' | 'lora' | 'training' | 'precision' | 'executor' | 'data'
>;

/** The policy, ready for training, with its tokenizer. */
export async function openPolicy(
  recipe: PolicyRecipe,
  sources: Sources,
  options: Pick<LanguageModelOptions, 'cachedTokens' | 'profile' | 'newHead'> = {},
): Promise<LoadedTextModel> {
  const { training, lora, adapter, precision, executor, data } = recipe;
  const [beta1, beta2] = training.adamBetas;
  // A new adapter needs a whole model under it, as another adapter does.
  if (lora !== undefined) await findModel(recipe.model, sources, 'a new adapter (lora)');
  return openTextModel(recipe.model, sources, {
    optimizer: { beta1, beta2, epsilon: training.adamEpsilon, weightDecay: training.weightDecay },
    precision,
    checkpoint: training.checkpoint,
    lora: lora && { ...lora, seed: training.seed },
    adapter,
    executor,
    longestRow: data.maxLength,
    ...options,
  });
}

/** The reference, for evaluation alone: another model's directory (or weights file beside the policy's config). */
export async function openReference(
  reference: string,
  recipe: TrainingRecipe,
  sources: Sources,
): Promise<LanguageModel> {
  const { directory, adapter } = await findModel(reference, sources);
  return loadLanguageModel(directory, {
    precision: recipe.precision,
    executor: recipe.executor,
    adapter,
    longestRow: recipe.data.maxLength,
  });
}
