import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MetaapoError } from '@metaapo/core/contracts';
import type { TransformerConfig } from '../transformer/transformer-config.js';
import { checkFields } from './config-fields.js';
import { type ConfigReader, configReader, isRecord, type RawConfig } from './config-reader.js';
import { ropeOf } from './rope-config.js';
import { slidingWindowsOf } from './sliding-windows.js';

/** A model's config.json, both dialects brought to one form. */
export interface LanguageModelConfig extends TransformerConfig {
  readonly architecture: 'llama' | 'qwen2' | 'qwen3' | 'mistral';
  /** Which projections carry a bias. */
  readonly biases: { readonly query: boolean; readonly output: boolean; readonly mlp: boolean };
  readonly maxPositionEmbeddings: number;
  readonly eosTokenIds: readonly number[];
  readonly bosTokenId: number | undefined;
  readonly padTokenId: number | undefined;
  /** Element type of the stored weights. */
  readonly dtype: 'float32' | 'bfloat16' | 'float16';
  /** config.json as it is. */
  readonly raw: Readonly<Record<string, unknown>>;
}

/** What transformers takes where a Qwen3 config.json does not say. */
const QWEN3_HEAD_DIM = 128;

const ARCHITECTURES = ['llama', 'qwen2', 'qwen3', 'mistral'] as const;

/**
 * Reads and checks config.json of a model directory.
 * @throws MetaapoError with code `checkpoint` that names the field which is missing or not supported
 */
export async function readModelConfig(directory: string): Promise<LanguageModelConfig> {
  const file = join(directory, 'config.json');
  const refuse = (summary: string, cause?: unknown): never => {
    throw new MetaapoError('checkpoint', summary, {
      where: file,
      cause,
      remedy: 'Give a Hugging Face model directory: config.json, *.safetensors, tokenizer.json',
    });
  };
  let raw: unknown;
  try {
    raw = JSON.parse(await readFile(file, 'utf8'));
  } catch (cause) {
    return refuse(
      (cause as NodeJS.ErrnoException).code === 'ENOENT' ? 'the file is missing' : 'the file is no JSON',
      cause,
    );
  }
  return isRecord(raw) ? normalise(raw, file) : refuse('the file holds no JSON object');
}

/** The normalised form of a parsed config.json; `file` is for messages. */
export function normalise(raw: RawConfig, file: string): LanguageModelConfig {
  const read = configReader(raw, file);
  const architecture = read.oneOf('model_type', ARCHITECTURES);
  checkFields(raw, read);
  if ((raw.hidden_act ?? 'silu') !== 'silu') read.refuse('hidden_act', 'silu', raw.hidden_act);
  const layers = read.count('num_hidden_layers');
  const heads = read.count('num_attention_heads');
  const hiddenSize = read.count('hidden_size');
  const keyValueHeads = read.count('num_key_value_heads', heads);
  if (heads % keyValueHeads !== 0) read.refuse('num_key_value_heads', `a divisor of ${heads}`, keyValueHeads);
  const headDim = read.count('head_dim', architecture === 'qwen3' ? QWEN3_HEAD_DIM : hiddenSize / heads);
  if (headDim % 2 !== 0) read.refuse('head_dim', 'an even number', headDim);
  const task = taskOf(raw, read);
  const isClassifier = task === 'sequence-classification';
  if (isClassifier) checkLabels(raw, read);
  const attentionBias = raw.attention_bias === true;
  const dtype = String(raw.dtype ?? raw.torch_dtype ?? 'float32').replace('torch.', '');
  if (dtype !== 'float32' && dtype !== 'bfloat16' && dtype !== 'float16') {
    return read.refuse('dtype', 'float32, bfloat16 or float16', dtype);
  }
  const eos = raw.eos_token_id;
  return {
    architecture,
    task,
    vocabularySize: read.count('vocab_size'),
    hiddenSize,
    intermediateSize: read.count('intermediate_size'),
    layers,
    heads,
    keyValueHeads,
    headDim,
    rmsNormEps: read.positive('rms_norm_eps'),
    tieWordEmbeddings: !isClassifier && raw.tie_word_embeddings === true,
    rope: ropeOf(raw, file, read),
    slidingWindows: slidingWindowsOf(raw, architecture, layers, read),
    qkNorm: architecture === 'qwen3',
    biases: {
      query: architecture === 'qwen2' || attentionBias,
      output: architecture !== 'qwen2' && attentionBias,
      mlp: architecture === 'llama' && raw.mlp_bias === true,
    },
    maxPositionEmbeddings: read.count('max_position_embeddings'),
    eosTokenIds: typeof eos === 'number' ? [eos] : Array.isArray(eos) ? (eos as number[]) : [],
    bosTokenId: typeof raw.bos_token_id === 'number' ? raw.bos_token_id : undefined,
    padTokenId: typeof raw.pad_token_id === 'number' ? raw.pad_token_id : undefined,
    dtype,
    raw,
  };
}

/** The config of a language model with a classification head of one label in the place of its own. */
export function withScoreHead(config: LanguageModelConfig): LanguageModelConfig {
  if (config.task === 'sequence-classification') return config;
  const family = { llama: 'Llama', qwen2: 'Qwen2', qwen3: 'Qwen3', mistral: 'Mistral' }[config.architecture];
  const [padTokenId = config.eosTokenIds[0]] = [config.padTokenId];
  const raw = {
    ...config.raw,
    architectures: [`${family}ForSequenceClassification`],
    id2label: { 0: 'LABEL_0' },
    label2id: { LABEL_0: 0 },
    pad_token_id: padTokenId,
  };
  return { ...config, task: 'sequence-classification', tieWordEmbeddings: false, padTokenId, raw };
}

/** What the model ends with; without `architectures` a language model's head. */
function taskOf(raw: RawConfig, read: ConfigReader): LanguageModelConfig['task'] {
  const [name = 'ForCausalLM'] = [raw.architectures ?? []].flat();
  const [, task] = /^(?:Llama|Mistral|Qwen2|Qwen3)?For(CausalLM|SequenceClassification)$/.exec(String(name)) ?? [];
  if (task === undefined) return read.refuse('architectures', '...ForCausalLM or ...ForSequenceClassification', name);
  return task === 'CausalLM' ? 'causal-lm' : 'sequence-classification';
}

function checkLabels(raw: RawConfig, read: ConfigReader): void {
  const names = read.object('id2label');
  const labels = names === undefined ? (raw.num_labels ?? 1) : Object.keys(names).length;
  if (labels !== 1) read.refuse('num_labels', '1', labels);
}
