import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { TrainingRecipe } from '@metaapo/core';
import { MetaapoError } from '@metaapo/core/contracts';
import { downloadSnapshot } from '@metaapo/data';
import {
  type LanguageModel,
  type LanguageModelOptions,
  type LoadedTextModel,
  loadLanguageModel,
  loadTextModel,
} from '@metaapo/models';

/** Files of a model that are fetched from the hub. No code, no pickles. */
const MODEL_FILES = ['*.safetensors', '*.json', '*.jinja', 'tokenizer.model'];

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
  return loadTextModel(await modelDirectory(recipe.model, sources), {
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
  const directory = await modelDirectory(reference, sources);
  const isAdapter = existsSync(join(directory, 'adapter_config.json'));
  const base = isAdapter ? await modelDirectory(recipe.model, sources) : directory;
  return loadLanguageModel(base, {
    precision: recipe.precision,
    executor: recipe.executor,
    adapter: isAdapter ? directory : undefined,
    longestRow: recipe.data.maxLength,
  });
}
