import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MetaapoError } from '@metaapo/core/contracts';
import { readTextIn } from '@metaapo/core/storage';
import { z } from 'zod';
import { type Checkpoint, openCheckpoint } from './open-checkpoint.js';

/** Shape of a low-rank adapter: y += (alpha / rank) * x A^T B^T in each target module. */
export interface LoraConfig {
  readonly rank: number;
  readonly alpha: number;
  /** Last parts of module names, e.g. `q_proj`; `all-linear` for all linear modules of the blocks. */
  readonly targetModules: readonly string[];
  /** Scale alpha / sqrt(rank) instead of alpha / rank. */
  readonly useRslora: boolean;
}

/** What PEFT calls all linear modules of the blocks, whatever their names are in a family. */
const EVERY_MODULE = 'all-linear';

/** The usual targets: all linear modules of the blocks. */
export const ALL_LINEAR = [EVERY_MODULE] as const;

const absent = z.union([z.null(), z.literal(false), z.tuple([]), z.object({}).strict(), z.literal('none')]).optional();

/** The fields of adapter_config.json that change the mathematics; anything else that does is refused. */
const schema = z.looseObject({
  peft_type: z.literal('LORA'),
  r: z.int().positive(),
  lora_alpha: z.number().positive(),
  target_modules: z.union([z.array(z.string()).min(1), z.literal(EVERY_MODULE)]),
  use_rslora: z.boolean().default(false),
  fan_in_fan_out: z.literal(false).default(false),
  bias: absent,
  use_dora: absent,
  rank_pattern: absent,
  alpha_pattern: absent,
  modules_to_save: absent,
  layers_to_transform: absent,
  layer_replication: absent,
  trainable_token_indices: absent,
  target_parameters: absent,
  exclude_modules: absent,
  lora_bias: absent,
  use_qalora: absent,
  alora_invocation_tokens: absent,
  arrow_config: absent,
});

/** The scale of an adapter's product. */
export function scalingOf({ rank, alpha, useRslora }: LoraConfig): number {
  return alpha / (useRslora ? Math.sqrt(rank) : rank);
}

/**
 * Reads a PEFT adapter directory.
 * @returns its shape, and its open weights, which the caller closes
 * @throws MetaapoError with code `checkpoint` for a file that is missing or a setting that is not supported
 */
export async function openAdapter(
  directory: string,
): Promise<{ readonly config: LoraConfig; readonly weights: Checkpoint }> {
  const file = join(directory, 'adapter_config.json');
  const remedy = 'Give a directory that PEFT saved with a plain LoRA adapter';
  const text = await readTextIn(directory, 'adapter_config.json');
  if (text === undefined) throw new MetaapoError('checkpoint', 'the file is missing', { where: file, remedy });
  const settings = parseJson(text, file);
  const parsed = schema.safeParse(settings);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const field = issue!.path[0];
    const value = field === undefined ? settings : (settings as Readonly<Record<PropertyKey, unknown>>)[field];
    throw new MetaapoError('checkpoint', `${String(field ?? 'the file')} is not supported`, {
      where: file,
      expected: issue!.message,
      got: JSON.stringify(value) ?? 'nothing',
      remedy,
    });
  }
  const { r: rank, lora_alpha: alpha, target_modules: targets, use_rslora: useRslora } = parsed.data;
  const targetModules = targets === EVERY_MODULE ? ALL_LINEAR : targets;
  const weights = await openCheckpoint(directory, 'adapter_model');
  return { config: { rank, alpha, targetModules, useRslora }, weights };
}

/**
 * The model that an adapter was made for, when a directory holds an adapter and no model of its own.
 * @returns path or hub id; `undefined` for a directory with a model
 * @throws MetaapoError with code `checkpoint` when the adapter names none
 */
export async function adapterBase(directory: string): Promise<string | undefined> {
  const file = join(directory, 'adapter_config.json');
  const text = await readTextIn(directory, 'adapter_config.json');
  if (text === undefined || existsSync(join(directory, 'config.json'))) return undefined;
  const base = (parseJson(text, file) as { base_model_name_or_path?: unknown } | null)?.base_model_name_or_path;
  if (typeof base === 'string' && base !== '') return base;
  throw new MetaapoError('checkpoint', 'the adapter does not say which model it belongs to', {
    where: file,
    expected: 'base_model_name_or_path',
    got: JSON.stringify(base) ?? 'nothing',
    remedy: 'Give the model, and the adapter with --adapter or in the recipe',
  });
}

function parseJson(text: string, file: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new MetaapoError('checkpoint', 'the file is no JSON', {
      where: file,
      cause,
      remedy: 'Save the adapter again',
    });
  }
}

/** Writes adapter_config.json as PEFT reads it. */
export async function writeAdapterConfig(directory: string, config: LoraConfig, baseModel: string): Promise<void> {
  const json = {
    peft_type: 'LORA',
    task_type: 'CAUSAL_LM',
    base_model_name_or_path: baseModel,
    r: config.rank,
    lora_alpha: config.alpha,
    lora_dropout: 0,
    target_modules: config.targetModules.includes(EVERY_MODULE) ? EVERY_MODULE : config.targetModules,
    use_rslora: config.useRslora,
    bias: 'none',
    fan_in_fan_out: false,
    inference_mode: true,
  };
  await writeFile(join(directory, 'adapter_config.json'), `${JSON.stringify(json, null, 2)}\n`);
}
