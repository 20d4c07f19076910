import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MetaapoError } from '@metaapo/core/contracts';
import type { NetworkConfig } from '../network/network-config.js';
import type { RopeConfig } from '../network/rotary.js';

/** A model's config.json, both dialects brought to one form. */
export interface LanguageModelConfig extends NetworkConfig {
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

type Raw = Readonly<Record<string, unknown>>;

const ARCHITECTURES = ['llama', 'qwen2', 'qwen3', 'mistral'] as const;

/**
 * Reads and checks config.json of a model directory.
 * @throws MetaapoError with code `checkpoint` that names the field which is missing or not supported
 */
export async function readModelConfig(directory: string): Promise<LanguageModelConfig> {
  const file = join(directory, 'config.json');
  let raw: Raw;
  try {
    raw = JSON.parse(await readFile(file, 'utf8'));
  } catch (cause) {
    const isMissing = (cause as NodeJS.ErrnoException).code === 'ENOENT';
    throw new MetaapoError('checkpoint', isMissing ? 'the file is missing' : 'the file is no JSON', {
      where: file,
      cause,
      remedy: 'Give a Hugging Face model directory: config.json, *.safetensors, tokenizer.json',
    });
  }
  return normalise(raw, file);
}

/** The normalised form of a parsed config.json; `file` is for messages. */
export function normalise(raw: Raw, file: string): LanguageModelConfig {
  const read = reader(raw, file);
  const architecture = read.oneOf('model_type', ARCHITECTURES);
  read.demand('hidden_act', 'silu');
  for (const field of ['quantization_config', 'partial_rotary_factor', 'attn_logit_softcapping']) {
    const value = raw[field];
    if (value !== undefined && value !== null && value !== 1) read.refuse(field, 'nothing', JSON.stringify(value));
  }
  const layers = read.count('num_hidden_layers');
  const heads = read.count('num_attention_heads');
  const hiddenSize = read.count('hidden_size');
  const keyValueHeads = read.count('num_key_value_heads', heads);
  if (heads % keyValueHeads !== 0) read.refuse('num_key_value_heads', `a divisor of ${heads}`, String(keyValueHeads));
  const headDim = read.count('head_dim', hiddenSize / heads);
  if (headDim % 2 !== 0) read.refuse('head_dim', 'an even number', String(headDim));
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
    rope: ropeOf(raw, read),
    slidingWindows: windowsOf(raw, architecture, layers, read),
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

interface Reader {
  count(field: string, otherwise?: number): number;
  positive(field: string): number;
  oneOf<Name extends string>(field: string, names: readonly Name[]): Name;
  demand(field: string, value: string): void;
  refuse(field: string, expected: string, got: string): never;
}

function reader(raw: Raw, file: string): Reader {
  const refuse = (field: string, expected: string, got: string): never => {
    throw new MetaapoError('checkpoint', `${field} is not supported`, {
      where: file,
      expected,
      got,
      remedy: 'Use a Llama, Qwen2, Qwen3 or Mistral checkpoint with standard settings',
    });
  };
  const number = (
    field: string,
    otherwise: number | undefined,
    accept: (x: number) => boolean,
    kind: string,
  ): number => {
    const value = raw[field] ?? otherwise;
    return typeof value === 'number' && accept(value) ? value : refuse(field, kind, JSON.stringify(value) ?? 'nothing');
  };
  return {
    refuse,
    count: (field, otherwise) =>
      number(field, otherwise, (x) => Number.isSafeInteger(x) && x > 0, 'a whole number above 0'),
    positive: (field) => number(field, undefined, (x) => x > 0, 'a number above 0'),
    oneOf(field, names) {
      const found = names.find((name) => name === raw[field]);
      return found ?? refuse(field, names.join(', '), JSON.stringify(raw[field]) ?? 'nothing');
    },
    demand(field, value) {
      if (raw[field] !== undefined && raw[field] !== value) refuse(field, value, JSON.stringify(raw[field]));
    },
  };
}

/** What the model ends with; without `architectures` a language model's head. */
function taskOf(raw: Raw, read: Reader): LanguageModelConfig['task'] {
  const name = (raw.architectures as readonly unknown[] | undefined)?.[0] ?? 'ForCausalLM';
  const [, task] = /^(?:Llama|Mistral|Qwen2|Qwen3)?For(CausalLM|SequenceClassification)$/.exec(String(name)) ?? [];
  if (task === undefined)
    return read.refuse('architectures', '...ForCausalLM or ...ForSequenceClassification', String(name));
  return task === 'CausalLM' ? 'causal-lm' : 'sequence-classification';
}

function checkLabels(raw: Raw, read: Reader): void {
  const labels = raw.id2label === undefined ? raw.num_labels : Object.keys(raw.id2label as object).length;
  if (labels !== undefined && labels !== 1) read.refuse('num_labels', '1', String(labels));
}

function ropeOf(raw: Raw, read: Reader): RopeConfig {
  const newer = raw.rope_parameters as Raw | null | undefined;
  const older = raw.rope_scaling as Raw | null | undefined;
  const theta = newer?.rope_theta ?? raw.rope_theta ?? 10000;
  if (typeof theta !== 'number') return read.refuse('rope_theta', 'a number', JSON.stringify(theta));
  const scaling = newer ?? older ?? {};
  const kind = String(scaling.rope_type ?? scaling.type ?? 'default');
  const numberOf = (field: string): number => {
    const value = scaling[field];
    return typeof value === 'number'
      ? value
      : read.refuse(`rope ${field}`, 'a number', JSON.stringify(value) ?? 'nothing');
  };
  if (kind === 'default') return { theta };
  if (kind === 'linear') return { theta, scaling: { kind, factor: numberOf('factor') } };
  if (kind !== 'llama3') return read.refuse('rope_type', 'default, linear or llama3', kind);
  return {
    theta,
    scaling: {
      kind,
      factor: numberOf('factor'),
      lowFreqFactor: numberOf('low_freq_factor'),
      highFreqFactor: numberOf('high_freq_factor'),
      originalMaxPositionEmbeddings: numberOf('original_max_position_embeddings'),
    },
  };
}

function windowsOf(raw: Raw, architecture: string, layers: number, read: Reader): (number | undefined)[] {
  const window = raw.sliding_window;
  const isQwen = architecture.startsWith('qwen');
  const isUsed = typeof window === 'number' && (isQwen ? raw.use_sliding_window === true : architecture === 'mistral');
  const types = raw.layer_types as string[] | undefined;
  const firstWindowed = isQwen ? ((raw.max_window_layers as number | undefined) ?? 0) : 0;
  return Array.from({ length: layers }, (_, layer) => {
    const type = types?.[layer];
    if (type !== undefined && type !== 'full_attention' && type !== 'sliding_attention') {
      return read.refuse('layer_types', 'full_attention or sliding_attention', type);
    }
    if (!isUsed) return undefined;
    const isWindowed = type === undefined ? layer >= firstWindowed : type === 'sliding_attention';
    return isWindowed ? (window as number) : undefined;
  });
}

/** Names and shapes of all weights of a model, as its checkpoint has them. */
export function expectedTensors(config: LanguageModelConfig): ReadonlyMap<string, readonly number[]> {
  const { hiddenSize, intermediateSize, heads, keyValueHeads, headDim, vocabularySize, biases } = config;
  const tensors = new Map<string, readonly number[]>([
    ['model.embed_tokens.weight', [vocabularySize, hiddenSize]],
    ['model.norm.weight', [hiddenSize]],
  ]);
  const add = (module: string, rows: number, columns: number, hasBias: boolean): void => {
    tensors.set(`${module}.weight`, [rows, columns]);
    if (hasBias) tensors.set(`${module}.bias`, [rows]);
  };
  for (let layer = 0; layer < config.layers; layer++) {
    const name = `model.layers.${layer}`;
    tensors.set(`${name}.input_layernorm.weight`, [hiddenSize]);
    tensors.set(`${name}.post_attention_layernorm.weight`, [hiddenSize]);
    add(`${name}.self_attn.q_proj`, heads * headDim, hiddenSize, biases.query);
    add(`${name}.self_attn.k_proj`, keyValueHeads * headDim, hiddenSize, biases.query);
    add(`${name}.self_attn.v_proj`, keyValueHeads * headDim, hiddenSize, biases.query);
    add(`${name}.self_attn.o_proj`, hiddenSize, heads * headDim, biases.output);
    if (config.qkNorm) {
      tensors.set(`${name}.self_attn.q_norm.weight`, [headDim]);
      tensors.set(`${name}.self_attn.k_norm.weight`, [headDim]);
    }
    add(`${name}.mlp.gate_proj`, intermediateSize, hiddenSize, biases.mlp);
    add(`${name}.mlp.up_proj`, intermediateSize, hiddenSize, biases.mlp);
    add(`${name}.mlp.down_proj`, hiddenSize, intermediateSize, biases.mlp);
  }
  if (config.task === 'sequence-classification') tensors.set('score.weight', [1, hiddenSize]);
  else if (!config.tieWordEmbeddings) tensors.set('lm_head.weight', [vocabularySize, hiddenSize]);
  return tensors;
}
