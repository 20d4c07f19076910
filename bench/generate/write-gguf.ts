import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { bfloat16FromFloat32, openSafetensors } from '@metaapo/core/storage';

// Numbers of the format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
const VERSION = 3;
const ALIGNMENT = 32;
const VALUE_TYPES = { uint32: 4, int32: 5, float32: 6, string: 8, array: 9 } as const;
const TENSOR_TYPES = { float32: 0, bfloat16: 30 } as const;
const NORMAL_TOKEN = 1;
const CONTROL_TOKEN = 3;

/** A tensor of the file, as llama.cpp names it. */
interface Tensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly type: keyof typeof TENSOR_TYPES;
  readonly data: Float32Array | Uint16Array;
}

/**
 * Writes a Llama model without a tokenizer of its own, as our random models are, for llama.cpp. Token ids stay; their
 * texts are made up. Matrices get the given type, norms stay float32.
 */
export async function writeGguf(directory: string, file: string, type: Tensor['type']): Promise<void> {
  const config = JSON.parse(await readFile(join(directory, 'config.json'), 'utf8')) as Record<string, number>;
  const weights = await openSafetensors(join(directory, 'model.safetensors'));
  try {
    const tensors: Tensor[] = [];
    for (const [name, { shape }] of weights.tensors) {
      const values = await weights.read(name);
      const heads = headsOf(name, config);
      const data = heads === undefined ? values : withPairedRows(values, shape[1]!, heads);
      tensors.push(tensorOf(nameOf(name), shape, shape.length === 1 ? 'float32' : type, data));
    }
    await writeFile(
      file,
      Buffer.concat([headerOf(config, tensors), ...tensors.map(({ data }) => padded(bytesOf(data)))]),
    );
  } finally {
    await weights.close();
  }
}

function tensorOf(name: string, shape: readonly number[], type: Tensor['type'], values: Float32Array): Tensor {
  return { name, shape, type, data: type === 'float32' ? values : bfloat16FromFloat32(values) };
}

const NAMES: Readonly<Record<string, string>> = {
  'model.embed_tokens': 'token_embd',
  'model.norm': 'output_norm',
  lm_head: 'output',
  input_layernorm: 'attn_norm',
  'self_attn.q_proj': 'attn_q',
  'self_attn.k_proj': 'attn_k',
  'self_attn.v_proj': 'attn_v',
  'self_attn.o_proj': 'attn_output',
  post_attention_layernorm: 'ffn_norm',
  'mlp.gate_proj': 'ffn_gate',
  'mlp.up_proj': 'ffn_up',
  'mlp.down_proj': 'ffn_down',
};

function nameOf(name: string): string {
  const [, layer, part] = /^(?:model\.layers\.(\d+)\.)?(.*)\.weight$/.exec(name) ?? [];
  const known = part === undefined ? undefined : NAMES[part];
  if (known === undefined) throw new Error(`No name in GGUF for ${name}`);
  return layer === undefined ? `${known}.weight` : `blk.${layer}.${known}.weight`;
}

function headsOf(name: string, config: Readonly<Record<string, number>>): number | undefined {
  if (name.endsWith('q_proj.weight')) return config.num_attention_heads;
  return name.endsWith('k_proj.weight') ? config.num_key_value_heads : undefined;
}

/** llama.cpp rotates rows 2i and 2i + 1 of a head together, where the checkpoint pairs i and i + d/2. */
function withPairedRows(values: Float32Array, columns: number, heads: number): Float32Array {
  const result = new Float32Array(values.length);
  const half = values.length / columns / heads / 2;
  for (let head = 0; head < heads; head++) {
    for (let at = 0; at < 2 * half; at++) {
      const source = (2 * head * half + at) * columns;
      const target = 2 * head * half + (at < half ? 2 * at : 2 * (at - half) + 1);
      result.set(values.subarray(source, source + columns), target * columns);
    }
  }
  return result;
}

const bytesOf = ({ buffer, byteOffset, byteLength }: Tensor['data']): Buffer =>
  Buffer.from(buffer, byteOffset, byteLength);

const paddingOf = (length: number): number => (ALIGNMENT - (length % ALIGNMENT)) % ALIGNMENT;

const padded = (bytes: Buffer): Buffer => Buffer.concat([bytes, Buffer.alloc(paddingOf(bytes.length))]);

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function float32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatLE(value);
  return bytes;
}

function uint64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([uint64(bytes.length), bytes]);
}

const list = (type: keyof typeof VALUE_TYPES, items: readonly Buffer[]): Buffer =>
  Buffer.concat([uint32(VALUE_TYPES[type]), uint64(items.length), ...items]);

function headerOf(config: Readonly<Record<string, number>>, tensors: readonly Tensor[]): Buffer {
  const fields = fieldsOf(config);
  let offset = 0;
  const infos = tensors.map(({ name, shape, type, data }) => {
    const sizes = [...shape].reverse().map(uint64);
    const info = [text(name), uint32(shape.length), ...sizes, uint32(TENSOR_TYPES[type]), uint64(offset)];
    offset += data.byteLength + paddingOf(data.byteLength);
    return Buffer.concat(info);
  });
  const counts = [Buffer.from('GGUF'), uint32(VERSION), uint64(tensors.length), uint64(fields.length)];
  return padded(Buffer.concat([...counts, ...fields, ...infos]));
}

function fieldsOf(config: Readonly<Record<string, number>>): readonly Buffer[] {
  const field = (key: string, type: keyof typeof VALUE_TYPES, value: Buffer): Buffer =>
    Buffer.concat([text(key), uint32(VALUE_TYPES[type]), value]);
  const number = (key: string, name: string): Buffer => field(`llama.${key}`, 'uint32', uint32(config[name]!));
  const real = (key: string, name: string): Buffer => field(`llama.${key}`, 'float32', float32(config[name]!));
  const ids = Array.from({ length: config.vocab_size! }, (_, id) => id);
  const specialIds = [config.bos_token_id!, config.eos_token_id!];
  const kinds = ids.map((id) => uint32(specialIds.includes(id) ? CONTROL_TOKEN : NORMAL_TOKEN));
  return [
    field('general.architecture', 'string', text('llama')),
    number('vocab_size', 'vocab_size'),
    number('context_length', 'max_position_embeddings'),
    number('embedding_length', 'hidden_size'),
    number('block_count', 'num_hidden_layers'),
    number('feed_forward_length', 'intermediate_size'),
    number('attention.head_count', 'num_attention_heads'),
    number('attention.head_count_kv', 'num_key_value_heads'),
    real('attention.layer_norm_rms_epsilon', 'rms_norm_eps'),
    real('rope.freq_base', 'rope_theta'),
    field('tokenizer.ggml.model', 'string', text('gpt2')),
    field(
      'tokenizer.ggml.tokens',
      'array',
      list(
        'string',
        ids.map((id) => text(`t${id}`)),
      ),
    ),
    field('tokenizer.ggml.token_type', 'array', list('int32', kinds)),
    field('tokenizer.ggml.merges', 'array', list('string', [text('t 0')])),
    field('tokenizer.ggml.bos_token_id', 'uint32', uint32(config.bos_token_id!)),
    field('tokenizer.ggml.eos_token_id', 'uint32', uint32(config.eos_token_id!)),
  ];
}
