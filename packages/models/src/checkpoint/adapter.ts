import { join } from 'node:path';
import { MetaapoError } from '@metaapo/core/contracts';
import { isPresent, readTextIn, writeAtomically } from '@metaapo/core/storage';
import { type AdaptedModule, adaptedModules } from './adapted-modules.js';
import {
  ADAPTER_SETTINGS,
  EVERY_MODULE,
  MERGE_IN_PYTHON,
  parseAdapterJson,
  readAdapterSettings,
} from './adapter-settings.js';
import { type Checkpoint, openCheckpoint } from './open-checkpoint.js';

/** Shape of a low-rank adapter: y += (alpha / rank) * x A^T B^T in each target module. */
export interface LoraConfig {
  readonly rank: number;
  readonly alpha: number;
  /** Last parts of module names, e.g. `q_proj`; `all-linear` for all linear modules of the blocks. */
  readonly targetModules: readonly string[];
  /** Scale alpha / sqrt(rank) instead of alpha / rank. */
  readonly useRslora: boolean;
  /** Of an adapter that was read: its modules by their whole names, in the place of `targetModules`. */
  readonly modules?: Readonly<Record<string, AdaptedModule>>;
}

/** The usual targets: all linear modules of the blocks. */
export const ALL_LINEAR = [EVERY_MODULE] as const;

/** The scale of the product of a module. */
export function scalingOf({ rank, alpha }: AdaptedModule, { useRslora }: LoraConfig): number {
  return alpha / (useRslora ? Math.sqrt(rank) : rank);
}

/** An adapter whose weights are open. */
export interface OpenAdapter {
  readonly config: LoraConfig;
  /** True when the weights hold the score head of a reward model. */
  readonly hasScoreHead: boolean;
  readonly weights: Checkpoint;
}

/**
 * Opens a PEFT adapter directory. Which modules it adapts, and at which rank, is read from its tensors; what its settings
 * say must go with them.
 * @param linear names of the modules of the model that can be adapted
 * @returns its shape, and its weights, which the caller closes
 * @throws MetaapoError with code `checkpoint` for a file that is missing or a setting that is not supported
 */
export async function openAdapter(directory: string, linear: readonly string[]): Promise<OpenAdapter> {
  const settings = await readAdapterSettings(directory);
  const weights = await openCheckpoint(directory, 'adapter_model');
  try {
    const modules = adaptedModules(settings, weights, linear);
    const { r: rank, lora_alpha: alpha, target_modules: targets, hasScoreHead } = settings;
    const targetModules = targets === EVERY_MODULE ? ALL_LINEAR : Array.isArray(targets) ? targets : [];
    const config = { rank, alpha, targetModules, useRslora: settings.use_rslora ?? false, modules };
    return { config, hasScoreHead, weights };
  } catch (error) {
    await weights.close();
    throw error;
  }
}

/** What a model is called. */
export interface ModelName {
  /** Path or hub id. */
  readonly name: string;
  /** Of a hub id; absent for the newest. */
  readonly revision?: string | undefined;
}

/**
 * The model that an adapter was made for, when a directory holds an adapter and no model of its own.
 * @returns `undefined` for a directory with a model
 * @throws MetaapoError with code `checkpoint` when the adapter names none
 */
export async function adapterBase(directory: string): Promise<ModelName | undefined> {
  const file = join(directory, ADAPTER_SETTINGS);
  const text = await readTextIn(directory, ADAPTER_SETTINGS);
  if (text === undefined || isPresent(join(directory, 'config.json'))) return undefined;
  const { base_model_name_or_path: name, revision } = parseAdapterJson(text, file);
  if (typeof name === 'string' && name !== '') {
    return { name, revision: typeof revision === 'string' && revision !== '' ? revision : undefined };
  }
  throw new MetaapoError('checkpoint', 'the adapter does not say which model it belongs to', {
    where: file,
    expected: 'base_model_name_or_path',
    got: JSON.stringify(name) ?? 'nothing',
    remedy: 'Give the model, and the adapter with --adapter or in the recipe',
  });
}

/** Writes adapter_config.json as PEFT reads it. */
export async function writeAdapterConfig(directory: string, config: LoraConfig, base: ModelName): Promise<void> {
  const json = {
    peft_type: 'LORA',
    task_type: 'CAUSAL_LM',
    base_model_name_or_path: base.name,
    revision: base.revision ?? null,
    r: config.rank,
    lora_alpha: config.alpha,
    lora_dropout: 0,
    ...targetsOf(config),
    use_rslora: config.useRslora,
    bias: 'none',
    fan_in_fan_out: false,
    inference_mode: true,
  };
  await writeAtomically(join(directory, ADAPTER_SETTINGS), `${JSON.stringify(json, null, 2)}\n`);
}

/** The modules of an adapter that was read are written one by one, with the ranks and alphas that are not the usual ones. */
function targetsOf({ rank, alpha, targetModules, modules }: LoraConfig): object {
  if (modules === undefined) {
    return { target_modules: targetModules.includes(EVERY_MODULE) ? EVERY_MODULE : targetModules };
  }
  const unusual = (field: keyof AdaptedModule, usual: number): object =>
    Object.fromEntries(
      Object.entries(modules).flatMap(([name, one]) =>
        one[field] === usual ? [] : [[name.replaceAll('.', '\\.'), one[field]]],
      ),
    );
  return {
    target_modules: Object.keys(modules),
    rank_pattern: unusual('rank', rank),
    alpha_pattern: unusual('alpha', alpha),
  };
}

/** Refuses an adapter of a reward model where a language model is opened. */
export function scoreHeadRefused(adapter: string): MetaapoError {
  return new MetaapoError('config', 'the adapter holds the score head of a reward model, which predicts no tokens', {
    where: adapter,
    expected: 'the adapter of a language model',
    remedy: `Score with it: metaapo reward. ${MERGE_IN_PYTHON}`,
  });
}
