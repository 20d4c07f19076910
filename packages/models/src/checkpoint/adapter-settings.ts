import { join } from 'node:path';
import { MetaapoError } from '@metaapo/core/contracts';
import { readTextIn } from '@metaapo/core/storage';
import { z } from 'zod';

/** The file beside the matrices of an adapter that says what they are. */
export const ADAPTER_SETTINGS = 'adapter_config.json';

/** The way out for what is not read here. */
export const MERGE_IN_PYTHON =
  'Merge the adapter in Python and give the merged model: ' +
  'PeftModel.from_pretrained(base, adapter).merge_and_unload().save_pretrained(directory)';

/** What PEFT calls all linear modules of the blocks, whatever their names are in a family. */
export const EVERY_MODULE = 'all-linear';

/** What PEFT saves whole in the adapter of a classifier, whether the model has it or not. */
const HEADS: readonly string[] = ['classifier', 'score'];

/** Starts of the matrices that leave the weights of the model as they are; what was trained is in the file. */
const PLAIN_STARTS: readonly unknown[] = [true, false, 'gaussian', 'eva', 'orthogonal', 'mica'];

const none = (expected: string) =>
  z.union([z.null(), z.literal(false), z.tuple([]), z.object({}).strict()], { error: expected }).optional();

const numbers = z.record(z.string(), z.number().positive()).nullish();

/** The fields that are read, or refused unless they say nothing. */
const fields = {
  peft_type: z.literal('LORA'),
  task_type: z.enum(['CAUSAL_LM', 'SEQ_CLS'], { error: 'CAUSAL_LM, or SEQ_CLS of a reward model' }).nullish(),
  base_model_name_or_path: z.string().nullish(),
  revision: z.string().nullish(),
  r: z.int().positive(),
  lora_alpha: z.number().positive(),
  target_modules: z.union([z.string(), z.array(z.string())]).nullish(),
  exclude_modules: z.union([z.string(), z.array(z.string())]).nullish(),
  layers_to_transform: z.union([z.int(), z.array(z.int())]).nullish(),
  layers_pattern: z.union([z.string(), z.array(z.string())]).nullish(),
  rank_pattern: numbers,
  alpha_pattern: numbers,
  use_rslora: z.boolean().nullish(),
  init_lora_weights: z
    .custom((start) => start === undefined || start === null || PLAIN_STARTS.includes(start), {
      error: 'a start that leaves the weights of the model as they are: true, false, gaussian, eva, orthogonal or mica',
    })
    .optional(),
  modules_to_save: z
    .array(z.enum(['classifier', 'score'], { error: 'none, or the score head of a reward model' }))
    .nullish(),
  bias: z.literal('none', { error: 'none' }).nullish(),
  use_dora: none('false'),
  lora_bias: none('false'),
  use_qalora: none('false'),
  use_bdlora: none('null'),
  layer_replication: none('null'),
  trainable_token_indices: none('null'),
  target_parameters: none('null'),
  alora_invocation_tokens: none('null'),
  arrow_config: none('null'),
  kasa_config: none('null'),
  megatron_config: none('null'),
  monteclora_config: none('null'),
  velora_config: none('null'),
} as const;

const schema = z.object(fields);

/** True for a field that is refused whatever it says, unless that is nothing. */
const isRefused = (field: z.ZodType): boolean =>
  [true, 1, 'all', ['all'], [1], { all: 1 }, 'LORA', 'CAUSAL_LM', 'none', ['score']].every(
    (value) => !field.safeParse(value).success,
  );

/** The fields that are read, and those that are refused unless they say nothing. */
export const ADAPTER_FIELDS: Readonly<Record<'read' | 'refused', readonly string[]>> = {
  read: Object.entries(fields).flatMap(([name, field]) => (isRefused(field) ? [] : [name])),
  refused: Object.entries(fields).flatMap(([name, field]) => (isRefused(field) ? [name] : [])),
};

/** Fields that change no number of a saved adapter, whatever they say, each with the reason. */
export const HARMLESS_ADAPTER_FIELDS: Readonly<Record<string, string>> = {
  auto_mapping: 'names of Python classes; the model says what it is',
  peft_version: 'a note of who wrote the file',
  inference_mode: 'the command says whether it trains',
  lora_dropout: 'dropout is for training, and there is none here',
  fan_in_fan_out: 'PEFT turns it off itself for linear modules, and every module of a supported family is one',
  megatron_core: 'only with megatron_config',
  qalora_group_size: 'only with use_qalora',
  loftq_config: 'how a start was made; init_lora_weights says which',
  eva_config: 'how a start was made; init_lora_weights says which',
  corda_config: 'how a start was made; init_lora_weights says which',
  lora_ga_config: 'how a start was made; init_lora_weights says which',
  runtime_config: 'where Python computes',
  ensure_weight_tying: 'only with modules_to_save and trainable_token_indices',
};

/** adapter_config.json, read. */
export interface AdapterSettings extends Readonly<z.output<typeof schema>> {
  /** The file, for messages. */
  readonly file: string;
  /** True when the adapter holds the score head of a reward model. */
  readonly hasScoreHead: boolean;
}

/** Refuses an adapter, with the way out. */
export function unreadAdapter(where: string, summary: string, expected: string, got: string): MetaapoError {
  return new MetaapoError('checkpoint', summary, { where, expected, got, remedy: MERGE_IN_PYTHON });
}

/**
 * Reads adapter_config.json by its list of fields: each is honoured, refused, or known to change no number.
 * @throws MetaapoError with code `checkpoint` for a file that is missing, or a field that is not supported
 */
export async function readAdapterSettings(directory: string): Promise<AdapterSettings> {
  const file = join(directory, ADAPTER_SETTINGS);
  const text = await readTextIn(directory, ADAPTER_SETTINGS);
  if (text === undefined) {
    const remedy = 'Give a directory that PEFT saved with a LoRA adapter';
    throw new MetaapoError('checkpoint', 'the file is missing', { where: file, remedy });
  }
  const raw = parseAdapterJson(text, file);
  for (const [field, value] of Object.entries(raw)) {
    if (Object.hasOwn(fields, field) || isHarmless(field, value)) continue;
    const expected = 'no such field, as nobody knows what numbers it changes';
    throw unreadAdapter(file, `${field} is not supported`, expected, shown(value));
  }
  const parsed = schema.safeParse(raw);
  if (parsed.success) return { ...parsed.data, file, hasScoreHead: holdsScoreHead(parsed.data) };
  const [issue] = parsed.error.issues;
  const field = String(issue!.path[0]);
  throw unreadAdapter(file, `${field} is not supported`, issue!.message, shown(raw[field]));
}

/**
 * The object in adapter_config.json.
 * @throws MetaapoError with code `checkpoint` when it holds something else
 */
export function parseAdapterJson(text: string, file: string): Readonly<Record<string, unknown>> {
  const remedy = 'Save the adapter again';
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch (cause) {
    throw new MetaapoError('checkpoint', 'the file is no JSON', { where: file, cause, remedy });
  }
  if (typeof raw === 'object' && raw !== null && !Array.isArray(raw)) return raw as Record<string, unknown>;
  throw new MetaapoError('checkpoint', 'the file holds no JSON object', { where: file, got: shown(raw), remedy });
}

function isHarmless(field: string, value: unknown): boolean {
  if (value === null || (typeof value === 'object' && Object.keys(value).length === 0)) return true;
  const isSwitchedOff = value === false && field.startsWith('use_');
  return isSwitchedOff || field.startsWith('_') || Object.hasOwn(HARMLESS_ADAPTER_FIELDS, field);
}

/** PEFT adds the heads to what it saves of every classifier. */
function holdsScoreHead({ task_type: task, modules_to_save: saved }: z.output<typeof schema>): boolean {
  return task === 'SEQ_CLS' || (saved ?? []).some((name) => HEADS.includes(name));
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 200 ? `${text.slice(0, 200)}...` : text;
}
