import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { normalise, readModelConfig } from './model-config.js';

const llama = {
  architectures: ['LlamaForCausalLM'],
  model_type: 'llama',
  hidden_act: 'silu',
  hidden_size: 64,
  intermediate_size: 128,
  num_hidden_layers: 4,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  max_position_embeddings: 2048,
  rms_norm_eps: 1e-5,
  vocab_size: 96,
};
const qwen2 = { ...llama, architectures: ['Qwen2ForCausalLM'], model_type: 'qwen2' };
const mistral = { ...llama, architectures: ['MistralForCausalLM'], model_type: 'mistral' };
const full = Array.from({ length: 4 }, () => 'full_attention');
const nothing = [undefined, undefined, undefined, undefined];
const read = (config: Readonly<Record<string, unknown>>) => normalise(config, 'config.json');

describe('config.json as published models have it', () => {
  const llama3Scaling = {
    factor: 8,
    high_freq_factor: 4,
    low_freq_factor: 1,
    original_max_position_embeddings: 8192,
    rope_type: 'llama3',
  };
  it.each([
    [
      'Llama 3.1, Tulu 3',
      {
        ...llama,
        _name_or_path: 'meta-llama/Llama-3.1-8B',
        attention_bias: false,
        attention_dropout: 0.0,
        bos_token_id: 128000,
        eos_token_id: [128001, 128008, 128009],
        head_dim: 16,
        initializer_range: 0.02,
        mlp_bias: false,
        pad_token_id: 128256,
        pretraining_tp: 1,
        rope_scaling: llama3Scaling,
        rope_theta: 500000.0,
        tie_word_embeddings: false,
        torch_dtype: 'bfloat16',
        transformers_version: '4.43.4',
        use_cache: false,
      },
    ],
    [
      'Llama in the newer dialect',
      {
        ...llama,
        dtype: 'bfloat16',
        rope_parameters: { ...llama3Scaling, rope_theta: 500000.0 },
        quantization_config: null,
      },
    ],
    [
      'SmolLM2',
      {
        ...llama,
        is_llama_config: true,
        rope_interleaved: false,
        rope_scaling: null,
        rope_theta: 100000,
        tie_word_embeddings: true,
        torch_dtype: 'bfloat16',
        'transformers.js_config': { kv_cache_dtype: { q4f16: 'float16', fp16: 'float16' } },
      },
    ],
    [
      'Qwen 2.5',
      {
        ...qwen2,
        attention_dropout: 0.0,
        max_window_layers: 21,
        rope_theta: 1000000.0,
        sliding_window: 32768,
        use_mrope: false,
        use_sliding_window: false,
        torch_dtype: 'bfloat16',
        unsloth_version: '2024.9',
      },
    ],
    [
      'Qwen 2.5 in the newer dialect',
      {
        ...qwen2,
        dtype: 'bfloat16',
        layer_types: full,
        max_window_layers: 28,
        rope_parameters: { rope_theta: 1000000.0, rope_type: 'default' },
        sliding_window: null,
        use_sliding_window: false,
      },
    ],
    [
      'Qwen 3',
      {
        ...llama,
        architectures: ['Qwen3ForCausalLM'],
        model_type: 'qwen3',
        head_dim: 16,
        attention_bias: false,
        max_window_layers: 28,
        rope_scaling: null,
        sliding_window: null,
        use_sliding_window: false,
      },
    ],
    ['Mistral 0.3', { ...mistral, sliding_window: null, rope_theta: 1000000.0, attention_dropout: 0.0 }],
    [
      'a reward model with what old versions write',
      {
        ...llama,
        architectures: ['LlamaForSequenceClassification'],
        id2label: { 0: 'LABEL_0' },
        label2id: { LABEL_0: 0 },
        problem_type: null,
        pad_token_id: 0,
        return_dict: true,
        temperature: 1.0,
        top_k: 50,
        max_length: 20,
        pruned_heads: {},
        chunk_size_feed_forward: 0,
        tie_encoder_decoder: false,
        is_decoder: false,
        bad_words_ids: null,
      },
    ],
  ])('accepts %s', (_, config) => {
    expect(read(config).slidingWindows).toEqual(nothing);
  });
});

describe('what transformers takes where config.json does not say', () => {
  it.each([
    ['a window of 4096 in Mistral', mistral, [4096, 4096, 4096, 4096]],
    ['none in Llama', { ...llama, sliding_window: 1024 }, nothing],
    [
      'windows from a layer on in Qwen 2',
      { ...qwen2, use_sliding_window: true, sliding_window: 8, max_window_layers: 3 },
      [undefined, undefined, undefined, 8],
    ],
    ['windows from layer 28 on in Qwen 2', { ...qwen2, use_sliding_window: true }, nothing],
  ])('%s', (_, config, windows) => {
    expect(read(config).slidingWindows).toEqual(windows);
  });

  it('heads of 128 in Qwen 3', () => {
    const { head_dim: _, ...config } = { ...llama, model_type: 'qwen3', architectures: undefined, head_dim: 0 };
    expect(read(config).headDim).toBe(128);
  });
});

describe('a field that would change numbers', () => {
  it.each([
    ['final_logit_softcapping', { final_logit_softcapping: 30 }],
    ['attn_logit_softcapping', { attn_logit_softcapping: 50 }],
    ['quantization_config', { quantization_config: { bits: 4 } }],
    ['auto_map', { auto_map: { AutoModelForCausalLM: 'modeling.Mine' } }],
    ['embedding_multiplier', { embedding_multiplier: 12 }],
    ['partial_rotary_factor', { partial_rotary_factor: 0.5 }],
    ['use_mrope', { use_mrope: true }],
    ['hidden_act', { hidden_act: 'gelu' }],
    ['rope_parameters.full_attention', { rope_parameters: { full_attention: { rope_theta: 1e4 } } }],
    ['rope_scaling.rope_type', { rope_scaling: { rope_type: 'yarn' } }],
    ['rope_scaling.type', { rope_scaling: { type: 'linear', factor: 2, mrope_section: [1] } }, 'mrope_section'],
    ['rope_scaling', { rope_scaling: 'linear' }],
    ['rope_scaling.factor', { rope_scaling: { type: 'linear' } }],
    ['rope_theta', { rope_theta: 'big' }],
    ['layer_types', { layer_types: ['linear_attention', ...full.slice(1)] }],
    ['layer_types', { layer_types: ['full_attention'] }],
    ['architectures', { architectures: ['LlamaForTokenClassification'] }],
    ['model_type', { model_type: undefined }],
    ['dtype', { dtype: 'float8_e4m3fn' }],
  ])('is refused: %s', (field, change, named = field) => {
    expect(() => read({ ...llama, ...change })).toThrow(named);
  });

  it.each([
    ['two labels', { id2label: { 0: 'a', 1: 'b' } }, /num_labels.*got 2/],
    ['labels that are no object', { id2label: 'one' }, /id2label/],
  ])('is refused in a reward model: %s', (_, change, message) => {
    const reward = { ...llama, architectures: ['LlamaForSequenceClassification'] };
    expect(read({ ...reward, id2label: null }).task).toBe('sequence-classification');
    expect(() => read({ ...reward, ...change })).toThrow(message);
  });
});

describe('a config.json that holds no object', () => {
  const directory = mkdtempSync(join(tmpdir(), 'metaapo-config-'));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));
  it.each(['null', '[]', '7', '{"model_type": '])('%s', async (text) => {
    writeFileSync(join(directory, 'config.json'), text);
    await expect(readModelConfig(directory)).rejects.toMatchObject({ code: 'checkpoint' });
  });
});
